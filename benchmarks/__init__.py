"""Measurements that are run by hand: what each part of the recipe brings, and how fast it all is."""
