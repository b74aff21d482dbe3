"""What must work for the service to do its work: asked alike by its readiness check and by `wharfinger doctor`."""

import sqlalchemy as sa

from features.stores import StoreError
from service.wiring import Home


def lake_fault(home: Home) -> str | None:
    """Say why the lake cannot be read, or None when it can."""
    try:
        next(home.lake.store.list(), None)
    except (OSError, StoreError) as error:
        return f"cannot be read: {getattr(error, 'strerror', error)}"
    return None


def store_fault(home: Home) -> str | None:
    """Say why nothing can be written into the database, or None when it can."""
    try:
        home.database.check_writable()
    except sa.exc.SQLAlchemyError as error:
        return f"cannot be written: {getattr(error, 'orig', error)}"
    return None
