"""Every measurement of the captures, two at a time."""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from rich.table import Table

from benchmarks.captures import audit, http_day, network, pods, podspec, tables, zeek
from benchmarks.captures.protocols import PROTOCOLS
from benchmarks.captures.rivals import FEWEST

OTHERS = ("benign-http", "podspec", "k8saudit-panther", "k8s-flows-sever")


def one_capture(name: str, protocol: str) -> network.Scores:
    """Score one capture by one protocol."""
    return network.measure(zeek.load(name), PROTOCOLS[protocol])


def other(name: str) -> list[Table]:
    """Measure a set that is no Zeek capture."""
    if name == "benign-http":
        return tables.benign_day(http_day.measure(http_day.load()))
    if name == "podspec":
        cases = podspec.load()
        return [tables.pod_specifications(cases, podspec.score(cases))]
    if name == "k8saudit-panther":
        samples = audit.load()
        return [tables.audit_samples(samples, audit.score(samples))]
    return [tables.pod_flows(*pods.measure())]


def measured(names: list[str], pool: ProcessPoolExecutor) -> Iterator[Table]:
    """Measure the sets of these names, and give their tables in order."""
    captures = [name for name in zeek.PATHS if name in names]
    runs: dict[str, dict[str, Future[network.Scores]]] = {
        name: {protocol: pool.submit(one_capture, name, protocol) for protocol in PROTOCOLS} for name in captures
    }
    rest = [pool.submit(other, name) for name in OTHERS if name in names]
    if captures:
        found = []
        for name in captures:
            capture = zeek.load(name)
            scores = {protocol: run.result() for protocol, run in runs[name].items()}
            found.append((capture, zeek.doubtful(capture), scores))
        yield tables.edges(found, FEWEST)
        yield tables.edges(found, 1)
        yield tables.workloads(found)
    for run in rest:
        yield from run.result()
