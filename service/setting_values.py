"""Values of settings, from the text of an environment variable or from TOML."""

from typing import Any, get_args, get_origin


class SettingsError(ValueError):
    """A setting has a value it cannot have; the message is one line and says what to do."""


def from_text(kind: Any, where: str, text: str) -> Any:  # noqa: ANN401 -- one of the types of the fields
    """Read the text of the environment variable `where` as a value of a type; lists are comma-separated.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is str:
        return text.strip()
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{where} is {text!r}, not {_type_name(kind)}") from None


def from_toml(kind: Any, where: str, value: Any) -> Any:  # noqa: ANN401 -- one of the types of the fields
    """Take a value of TOML, told to stand at `where`, as one of a type.

    Raises
    ------
    SettingsError
        If it is of another.
    """
    if get_origin(kind) is tuple and isinstance(value, list) and all(isinstance(x, get_args(kind)[0]) for x in value):
        return tuple(value)
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is not tuple and type(value) is kind:
        return value
    raise SettingsError(f"{where} is {value!r}, not {_type_name(kind)}")


def _type_name(kind: Any) -> str:  # noqa: ANN401 -- one of the types of the fields
    return {int: "a whole number", float: "a number", str: "a text"}.get(kind, "a list of texts")
