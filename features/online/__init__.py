"""The features of windows while events come in: the same as `features.windows.extract` gives, without a plan per feature."""
