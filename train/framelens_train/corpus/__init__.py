"""The labelled corpus: built from raw articles, shipped as term counts, checked, and read back for
training.
"""
