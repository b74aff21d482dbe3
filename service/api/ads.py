"""Alerting and detection strategies (ADS): what is watched and why, and what to do when it fires."""

import msgspec

from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas.ads import StrategyList
from service.strategies import strategies
from service.strategy import Outline, Strategy

resource = Resource("ads")


@resource.operation("GET", "/v1/ads", scope="read", answer=StrategyList)
def list_strategies() -> StrategyList:
    """List the detection strategies, one for each family of features that is watched."""
    return StrategyList(ads=msgspec.convert(list(strategies().values()), list[Outline], from_attributes=True))


@resource.operation("GET", "/v1/ads/<ads>", scope="read", answer=Strategy, examples={"ads": "network"})
def get_strategy(ads: str) -> Strategy:
    """Show a detection strategy: goal, blind spots, false positives, validation, response and the other sections."""
    found = strategies().get(ads)
    if found is None:
        raise refuse(404, f"There is no strategy {ads!r}; GET /v1/ads lists those there are.")
    return found
