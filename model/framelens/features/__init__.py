"""What the model sees of an article: one definition, used by training and by every way of scoring."""
