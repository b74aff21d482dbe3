"""What goes wrong on the way to a receiver."""


class OutputError(Exception):
    """An output is not configured as it can be; the message is one line and says what to do."""


class DeliveryError(Exception):
    """A message did not arrive; the words hold no secret, for they are stored and logged.

    Parameters
    ----------
    reason
        What happened, in one line.
    permanent
        Whether sending the same message again cannot help.
    retry_after
        Seconds that the receiver asked to be left alone for.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after
