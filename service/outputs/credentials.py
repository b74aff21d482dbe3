"""Secrets of outputs: from an environment variable or from a file, never from the configuration itself."""

from collections.abc import Mapping
from pathlib import Path

from service.outputs.errors import DeliveryError


def one_of(env: str | None, file: str | None, what: str) -> None:
    """Refuse a configuration that names a secret twice.

    Raises
    ------
    ValueError
        If both an environment variable and a file are named.
    """
    if env is not None and file is not None:
        raise ValueError(f"give {what}_env or {what}_file, not both")


def read_secret(env: str | None, file: str | None, environ: Mapping[str, str]) -> str | None:
    """Read a secret anew, so that a changed one needs no restart; None where none is configured.

    Raises
    ------
    DeliveryError
        If it is configured and cannot be read, or is empty.
    """
    if env is not None:
        found, where = environ.get(env, ""), f"the environment variable {env}"
    elif file is not None:
        where = f"the file {file}"
        try:
            found = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DeliveryError(f"cannot read the secret in {where}: {_named(error)}") from error
    else:
        return None
    if not found.strip():
        raise DeliveryError(f"no secret in {where}")
    return found.strip()


def _named(error: Exception) -> str:
    return (error.strerror or "unreadable") if isinstance(error, OSError) else "it is not UTF-8"
