"""Which images workloads pull and run: `features.extractors.pulls` while events come in."""

from features.extractors.pulls import IMAGE_ID_OF, MANIFEST_OF, NEEDS_PULL, NOT_ACTED, SHORT_DIGEST
from features.http_clients import program_of
from features.online.moments import Moment, Row
from features.online.per_window import Found, PerWindow


class Pulls:
    """Image pulls, what is run, and what else is done to images."""

    def __init__(self, windows: PerWindow[Found]) -> None:
        self._windows = windows

    def add(self, row: Row, moment: Moment) -> None:
        """Take any event that may name an image."""
        kind, action = row["kind"], row.get("action")
        if row.get("image_repository") is not None and (kind in ("pull", "image") or action in NEEDS_PULL):
            self._image(row, self._windows.at(row["workload"], moment.window))
        if kind == "image" and action is not None and action not in NOT_ACTED:
            self._act(row, self._windows.at(row["workload"], moment.window))

    def _image(self, row: Row, found: Found) -> None:
        registry, repository = row.get("image_registry"), row["image_repository"]
        if row["kind"] == "pull":
            found.count("pulls.pulls")
        if registry is None:
            return
        if row["kind"] == "pull" or row.get("action") in NEEDS_PULL:
            found.meet("pulls.new_registry", registry)
            found.meet("pulls.new_repository", f"{registry}/{repository}")
            found.meet("pulls.new_publisher", f"{registry}/{repository.partition('/')[0]}")
        tag, digest = row.get("image_tag"), row.get("image_digest")
        if tag is not None and digest is not None:
            named_by = IMAGE_ID_OF if row["kind"] == "config" else MANIFEST_OF
            found.meet("pulls.moved_tag", f"{registry}/{repository}:{tag}{named_by}{digest[:SHORT_DIGEST]}")

    def _act(self, row: Row, found: Found) -> None:
        found.meet("pulls.image_action", row["action"])
        if row["action"] == "push":
            agent, address = row.get("user_agent"), row.get("src_ip")
            program = None if agent is None else program_of(agent)
            found.meet("pulls.pushed_by", None if program is None or address is None else f"{program} from {address}")
