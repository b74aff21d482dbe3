"""The features of a dense day, beside a scan of the same file and what other engines do with it."""
