"""Pages for people: what is strange, and why. Rendered here, without scripts, so that they work offline."""

from service.dashboard.login import blueprint as login
from service.dashboard.pages import blueprint as dashboard

__all__ = ["dashboard", "login"]
