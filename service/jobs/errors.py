"""What a job refuses to do."""


class JobError(Exception):
    """A job cannot do what was asked; the message is one line and says what to do."""
