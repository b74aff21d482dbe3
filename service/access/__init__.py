"""Who may do what: keys, tokens of an identity provider, sessions, rates, and the record of what was done."""
