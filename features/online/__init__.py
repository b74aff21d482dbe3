"""Features of windows while events come in: what `features.windows.extract` gives, without a plan for each feature."""
