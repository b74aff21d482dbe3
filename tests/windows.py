"""What two ways to the same windows must agree in."""

from features.windows import Windows

TABLES = ("values", "items", "facts")


def same(left: Windows, right: Windows) -> bool:
    """Say whether the tables of windows are equal to the last bit."""
    pairs = ((getattr(left, name), getattr(right, name)) for name in TABLES)
    return all(one.equals(other.select(one.columns)) for one, other in pairs)
