"""Health, readiness and metrics."""

from flask import Response

from service.api.operations import Resource
from service.api.problems import ProblemError
from service.api.schemas.health import Health
from service.api.schemas.problems import Problem
from service.api.scrape import Scrape
from service.jobs.readiness import lake_fault, store_fault
from service.metrics import CONTENT_TYPE, render
from service.state import State, state

resource = Resource("health")


@resource.operation("GET", "/healthz", scope=None, answer=Health)
def get_health() -> Health:
    """Say that the process answers; nothing else is looked at."""
    return Health(status="ok", checks={})


@resource.operation("GET", "/readyz", scope=None, answer=Health, problems=(503,))
def get_readiness() -> Health:
    """Say whether the service can do its work.

    The lake must be readable, the spool and the store writable and a model loaded; otherwise 503, with the reason of
    each check.
    """
    here = state()
    home = here.home
    failures = {
        "lake": lake_fault(home),
        "spool": home.spool.fault(),
        "store": store_fault(home),
        "model": _model(here),
    }
    checks = {name: failure or "ok" for name, failure in failures.items()}
    if any(failures.values()):
        told = "; ".join(f"{name}: {failure}" for name, failure in failures.items() if failure)
        kind = "urn:wharfinger:problem:not-ready"
        raise ProblemError(Problem(title="Service Unavailable", status=503, type=kind, detail=told, checks=checks))
    return Health(status="ready", checks=checks)


@resource.operation("GET", "/metrics", scope="read", answer=CONTENT_TYPE)
def get_metrics() -> Response:
    """Give metrics in Prometheus' text format, summed over the web workers."""
    return Response(render(Scrape(state())), content_type=CONTENT_TYPE)


def _model(here: State) -> str | None:
    detector = here.model.get()
    return here.model.problem or (None if detector else "no model yet; run: wharfinger refresh")
