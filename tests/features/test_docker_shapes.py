"""Docker Engine events read many at a time are what they are one by one."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.docker_shapes import NAMING_LABELS
from features.ingest import read_events
from tests.one_by_one import assert_alike

EVENT = {
    "status": "start",
    "id": "ab12",
    "from": "shop/api:1.2",
    "Type": "container",
    "Action": "start",
    "Actor": {"ID": "ab12", "Attributes": {"image": "shop/api:1.2", "name": "shop-api-1"}},
    "scope": "local",
    "time": 1_757_800_000,
    "timeNano": 1_757_800_000_123_456_789,
}
texts = st.sampled_from(
    ["", "a", "shop", "sha256:ab", "reg.example:5000/a/b:1@sha256:cd", "/old", "hopeful_turing", "\x1f"]
)
odd = st.none() | st.integers(0, 3) | st.just([])
attributes = st.dictionaries(
    st.sampled_from(["image", "name", "execID", "container", "oldName", "exitCode", "other", *NAMING_LABELS]),
    st.one_of(texts, st.sampled_from(["0", "137", "-1", " 7", "1e3", "99999999999"]), odd),
    max_size=5,
)
actions = st.sampled_from(
    [
        "create",
        "die",
        "rename",
        "pull",
        "tag",
        "attach",
        "exec_create: sh -c 'a: b' ",
        "exec_start:",
        "exec_die",
        "connect",
        "health_status: healthy",
        "health_status:\x1f",
        "",
        ":x",
    ]
)
events = st.builds(
    lambda kind, action, identity, attributes, changed, dropped: {
        key: value
        for key, value in (
            EVENT | {"Type": kind, "Action": action, "Actor": {"ID": identity, "Attributes": attributes}} | changed
        ).items()
        if key != dropped
    },
    st.sampled_from(["container", "image", "network", "volume", ""]),
    actions,
    texts,
    attributes,
    st.dictionaries(
        st.sampled_from(["from", "host", "timeNano", "Actor", "Type"]),
        texts | odd | st.sampled_from([-1, 2**62, 2**63, 1.5e18, {}, {"id": "x"}, {"ID": "x", "Attributes": None}]),
        max_size=1,
    ),
    st.sampled_from(["", "timeNano", "Actor", "from", "time"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.lists(events, max_size=12), st.integers(1, 5))
def test_events_read_together_are_what_they_are_alone(
    tmp_path: Path, content: list[dict[str, object]], batch_rows: int
) -> None:
    """Any events, with what engines never wrote among them, give the same rows and the same rejects."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in [EVENT, *content]))

    assert_alike(path, batch_rows)


def test_host_that_is_given_names_workloads(tmp_path: Path) -> None:
    """A container without labels is of the host that was said for the file, unless its event says another."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(EVENT | host) + "\n" for host in ({}, {}, {"host": "n2"})))

    (batch,) = read_events([path], host="n1")

    assert batch.events["workload"].to_list() == ["docker:n1/shop-api", "docker:n1/shop-api", "docker:n2/shop-api"]
    assert batch.events["host"].to_list() == ["n1", "n1", "n2"]
