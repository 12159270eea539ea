"""Scoring files of articles as a stream: readers, writers, and the run between them."""
