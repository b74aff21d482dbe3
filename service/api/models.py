"""Models: which there are, which answers, and promotion."""

import structlog

from models.errors import ArtefactError
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas.models import Model, ModelList, Promotion
from service.state import state

resource = Resource("models")
_log = structlog.get_logger("wharfinger.model")


@resource.operation("GET", "/v1/models", scope="read", answer=ModelList)
def list_models() -> ModelList:
    """List the models, the newest first."""
    registry = state().home.registry
    return ModelList(champion=registry.champion(), models=registry.versions())


@resource.operation(
    "GET", "/v1/models/<version>", scope="read", answer=Model, examples={"version": "2026-09-14T02:00:00Z-3f9c"}
)
def get_model(version: str) -> Model:
    """Show one model's manifest."""
    _require(version)
    registry = state().home.registry
    return Model(version=version, champion=registry.champion() == version, manifest=registry.manifest(version))


@resource.operation(
    "POST",
    "/v1/models/<version>/promote",
    scope="operate",
    answer=Promotion,
    problems=(409,),
    examples={"version": "2026-09-14T02:00:00Z-3f9c"},
)
def promote_model(version: str) -> Promotion:
    """Make a model the one that answers.

    It is loaded and checked first; web workers change over within the interval of `model_poll_seconds`, without a
    restart. Promoting the model before it takes this back.
    """
    _require(version)
    registry = state().home.registry
    before = registry.champion()
    try:
        registry.load(version)
    except ArtefactError as error:
        raise refuse(409, str(error), kind="model-refused") from None
    registry.promote(version)
    _log.info("model promoted", version=version, before=before)
    return Promotion(champion=version, before=before)


def _require(version: str) -> None:
    if version not in {row["version"] for row in state().home.registry.versions()}:
        raise refuse(404, f"There is no model {version!r}; GET /v1/models lists those there are.")
