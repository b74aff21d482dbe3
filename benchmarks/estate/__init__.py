"""A made-up container estate whose telemetry is in the sources' own forms. See `README` at the end of this text."""
