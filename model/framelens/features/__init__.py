"""What the model sees of an article: one definition, used by training and by every way of scoring."""

FEATURISER_VERSION = 2
"""Raised whenever the same text may give other counts; a model knows which one it was trained with."""
