"""Which certificates a receiver may show, and why it was not reached."""

import ssl
from functools import lru_cache
from pathlib import Path

from service.outputs.errors import DeliveryError


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """Trust the authorities in a PEM file alone, read anew when it changes, or those of the machine.

    Raises
    ------
    DeliveryError
        If the file cannot be read.
    """
    try:
        return _read(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0)
    except OSError as error:
        raise DeliveryError(f"cannot read ca_file {ca_file}: {cause(error)}") from error


@lru_cache(maxsize=16)
def _read(ca_file: str | None, changed: int) -> ssl.SSLContext:
    # a machine's authorities take some 20 ms to read, more than all the rest of a delivery
    del changed
    return ssl.create_default_context(cafile=ca_file)


def cause(error: BaseException) -> str:
    """Word the innermost cause of an error: what wraps it repeats addresses, which may be secret."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
