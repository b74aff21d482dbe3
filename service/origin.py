"""Makes a foreign package named like one of ours an error message instead of a mystery."""

from importlib.machinery import PathFinder
from pathlib import Path

PACKAGES = ("features", "models")
ROOT = Path(__file__).resolve().parent.parent


def check_origins() -> None:
    """Check that `features` and `models` come from the folder that this package came from.

    Raises
    ------
    ImportError
        If another package of that name stands earlier on the path.
    """
    for name in PACKAGES:
        spec = PathFinder.find_spec(name)
        if spec is None:
            raise ImportError(f"the package {name!r} is missing beside {ROOT / 'service'}; reinstall wharfinger")
        found = (
            Path(spec.origin).resolve().parent
            if spec.origin
            else Path(next(iter(spec.submodule_search_locations or [""])))
        )
        if found != ROOT / name:
            raise ImportError(
                f"the package {name!r} would come from {found}, not from {ROOT / name}; "
                f"run wharfinger from another folder, or take {found.parent} off PYTHONPATH"
            )
