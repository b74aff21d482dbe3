"""What goes wrong with a stored model."""


class ArtefactError(Exception):
    """A stored model cannot be trusted or read; the message is one line that says what to do."""
