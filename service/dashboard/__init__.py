"""Pages for people: what is strange, and why. Rendered here, without scripts, so that they work offline."""

from service.dashboard.pages import blueprint

__all__ = ["blueprint"]
