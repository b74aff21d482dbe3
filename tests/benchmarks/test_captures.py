"""What the benchmark on real captures stands on: loaders, labels, naive figures; skipped where captures are absent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.captures import audit, http_day, network, pods, podspec, zeek
from benchmarks.captures.evidence import beacon_bits, edge_bits, unusual_bits
from benchmarks.captures.place import LABELLED, network_labels
from benchmarks.captures.protocols import PROTOCOLS
from benchmarks.captures.ranking import auroc, auroc_within, ranks
from benchmarks.captures.rivals import FEWEST, naive_beacon, rita_beacon
from features.baselines import learn
from features.evidence import Normal
from features.protocols import specs
from models.trust import Trust

pytestmark = pytest.mark.slow

captures = pytest.mark.skipif(not LABELLED.is_dir(), reason="the captures are not beside the project")
HEADER = (
    "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice"
    "\tduration\torig_bytes\tresp_bytes\tconn_state\n"
)
START = 1_767_600_000.0


def connection(moment: float, source: str, target: str, port: int) -> str:
    return f"{moment}\tC{moment}{source}{target}\t{source}\t50000\t{target}\t{port}\ttcp\t-\t0.1\t100\t200\tSF\n"


@pytest.fixture
def small(tmp_path: Path) -> zeek.Capture:
    """Two machines that talk to a server all day, of which one calls an address outside every minute of an hour."""
    lines = [connection(START + 97.0 * n + 3 * m, f"10.0.0.{m}", "10.0.0.9", 5432) for n in range(400) for m in (1, 2)]
    lines += [connection(START + 36_000 + 60.0 * n, "10.0.0.1", "203.0.113.7", 443) for n in range(60)]
    (tmp_path / "conn.log").write_text(HEADER + "".join(lines))
    (tmp_path / "dns.log").write_text(_stray_query(START - 900_000))
    return zeek.Capture("small", zeek.read(tmp_path), frozenset({("10.0.0.1", "203.0.113.7", 443)}))


def _stray_query(moment: float) -> str:
    fields = "ts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\ttrans_id\tquery\tqclass\trejected"
    values = f"{moment}\tD1\t10.0.0.3\t5\t10.0.0.9\t53\tudp\t1\tx.org\t1\tF"
    return f"#separator \\x09\n#path\tdns\n#fields\t{fields}\n{values}\n"


def test_leftovers_of_another_capture_are_dropped(small: zeek.Capture) -> None:
    assert small.events["ts"].min() >= datetime.fromtimestamp(START, UTC) - timedelta(days=1)
    assert set(small.events["kind"]) == {"flow"}


def test_edges_have_the_times_and_sizes_of_their_connections(small: zeek.Capture) -> None:
    found = zeek.edges(small.flows)

    times, sizes = found["10.0.0.1", "203.0.113.7", 443]
    assert np.allclose(np.diff(times), 60)
    assert sizes.tolist() == [100.0] * 60
    assert len(found) == 3


def test_protocols_learn_nothing_of_what_they_judge(small: zeek.Capture) -> None:
    for trial in PROTOCOLS["newcomer"].trials(small):
        (judged,) = trial.judged.windows.values["workload"].unique()
        assert judged not in set(trial.learnt.windows.values["workload"])
        assert judged.removeprefix("ip:") not in {*trial.events["src_ip"], *trial.events["dst_ip"]}

    (half,) = PROTOCOLS["second half"].trials(small)
    assert half.events["ts"].max() < half.judged.windows.values["window_start"].min()
    assert half.learnt.windows.values["window_start"].max() < half.judged.windows.values["window_start"].min()


def test_only_evidence_that_names_an_edge_speaks_for_it(small: zeek.Capture) -> None:
    """The new destination outside has bits, and the old server, met in the same windows, has next to none."""
    (half,) = PROTOCOLS["second half"].trials(small)
    start = half.learnt.windows.values["window_start"].min()
    normal = Normal.of(learn(half.learnt.windows, start, half.judged.windows.values["window_start"].min()))

    given = half.judged.windows, half.judged.flows, normal, Trust.measure(np.zeros((0, len(specs()))))
    unusual, even, both = unusual_bits(*given), beacon_bits(half.judged.flows), edge_bits(*given)

    outside, inside = ("10.0.0.1", "203.0.113.7", 443), ("10.0.0.1", "10.0.0.9", 5432)
    assert unusual[outside] > 5
    assert unusual.get(inside, 0.0) < 1
    assert even[outside] > even[inside] > 50
    assert both[outside] == unusual[outside] + even[outside]


def test_beacon_scores_tell_a_clock_from_chance() -> None:
    clock, chance = np.arange(0.0, 86_400, 60), np.cumsum(np.random.default_rng(1).exponential(60, 1400))

    assert naive_beacon(clock) == pytest.approx(1.0)
    assert naive_beacon(chance) < 0.8
    assert naive_beacon(clock[: FEWEST - 1]) == 0.0
    assert rita_beacon(clock, np.full(len(clock), 300.0), 0.0) == pytest.approx(1.0)
    assert rita_beacon(chance, chance % 977, 0.0) < 0.9


def test_ranking_counts_ties_half() -> None:
    assert auroc([2, 1, 1], [True, True, False]) == 0.75
    assert ranks([2, 1, 1], [False, True, True]) == [2.5, 2.5]
    assert auroc_within([1, 0, 9], [True, False, False], ["a", "a", "b"]) == (1.0, 1)
    assert np.isnan(auroc([1.0], [True]))


def test_flow_meter_rows_become_connections() -> None:
    row = {
        "Flow ID": "f", "Src IP": "10.16.0.6", "Src Port": "40000", "Dst IP": "10.16.0.7", "Dst Port": "7472",
        "Protocol": "6", "Timestamp": "2023-03-19 15:02:20.266440", "Flow Duration": "2000000",
        "Total Length of Fwd Packet": "10.0", "Total Length of Bwd Packet": "20.0", "SYN Flag Count": "2",
        "Total Bwd packets": "3", "Bwd RST Flags": "0",
    }  # fmt: skip
    later = row | {"Timestamp": "2023-03-19 15:02:21.266440", "Total Bwd packets": "0"}

    events = pods.flows([later, row], pods.START)

    assert events.sort("ts").select("src_ip", "dst_port", "bytes_out", "bytes_in", "duration", "conn_state").rows() == [
        ("10.16.0.6", 7472, 10, 20, 2.0, "SF"),
        ("10.16.0.6", 7472, 10, 20, 2.0, "S0"),
    ]
    assert events["ts"].max() - events["ts"].min() == timedelta(seconds=pods.STRETCH)  # type: ignore[operator]


def test_posture_sees_a_privileged_pod() -> None:
    def pod(context: dict[str, object]) -> podspec.Case:
        spec = {"containers": [{"name": "a", "image": "a", "securityContext": context}]}
        made = {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        return podspec.Case(control="rule", violates=True, objects=(made,))

    points = podspec.posture([podspec.tokens(pod({})), podspec.tokens(pod({"privileged": True}))])

    assert points[1] - points[0] == 8.0


@captures
@pytest.mark.parametrize(
    ("name", "connections", "hostile", "figure"),
    [("motd-comfoo", 15_363, 1, 0.911), ("motd-taidoor", 14_201, 1, 0.578), ("trickbot-week", 13_001, 66, 0.658)],
)
def test_naive_figures_are_those_of_the_data(name: str, connections: int, hostile: int, figure: float) -> None:
    capture = zeek.load(name)
    found = {edge: times for edge, (times, _) in zeek.edges(capture.flows).items()}
    judged = {edge: edge in capture.hostile for edge, times in found.items() if len(times) >= FEWEST}

    assert (len(capture.flows), len(capture.hostile)) == (connections, hostile)
    assert capture.hostile <= found.keys()
    measured = network.standing({edge: naive_beacon(times) for edge, times in found.items()}, judged)
    assert measured.auroc == pytest.approx(figure, abs=0.001)


@captures
def test_every_labelled_edge_is_in_its_capture() -> None:
    labels = network_labels()

    assert labels.keys() == zeek.PATHS.keys()
    for name in ("rita-proxy", "otrf-apt29-day1", "otrf-apt29-day2"):
        assert labels[name] <= zeek.edges(zeek.load(name).flows).keys()


@captures
def test_sets_hold_what_their_readme_says() -> None:
    cases, samples = podspec.load(), audit.load()

    assert (sum(c.violates for c in cases), sum(not c.violates for c in cases)) == (403, 195)
    assert len({case.control for case in cases}) == 134
    assert (sum(s.malicious for s in samples), sum(not s.malicious for s in samples)) == (135, 152)
    assert sum(sample.record is None for sample in samples) == 16
    assert sum(not podspec.tokens(case) for case in cases) == 1  # a CronJob that names no container


@captures
def test_folds_keep_the_events_of_a_rule_together() -> None:
    samples = audit.load()

    dealt = {(sample.rule, fold) for sample, fold in zip(samples, audit.folds(samples), strict=True)}

    assert len(dealt) == len({sample.rule for sample in samples})


@captures
def test_about_half_of_the_rules_are_held_out() -> None:
    samples = audit.load()

    rules = {sample.rule: sample.held_out for sample in samples}

    assert 0.4 < sum(rules.values()) / len(rules) < 0.6


@captures
def test_pod_flows_and_requests_are_read_whole() -> None:
    benign = pods.read(pods.FOLDER / "benign", pods.START)
    requests = http_day.load().events

    assert len(benign) == 5_297
    assert sorted(pods.attack_paths()) == sorted(pods.SCENARIOS)
    assert requests.filter(pl.col("kind") == "http").height == 27_204
    assert requests.filter(pl.col("kind") == "flow").height == requests["uid"].n_unique()
    assert requests["src_ip"].n_unique() == 13


@captures
def test_tor_and_address_tellers_are_doubtful() -> None:
    capture = zeek.load("trickbot-week")

    unsure = zeek.doubtful(capture)

    assert ("172.16.9.233", "145.239.253.167", 1469) in unsure
    assert ("172.16.9.5", "47.52.62.55", 443) in unsure
    assert not unsure & capture.hostile


@pytest.mark.slow
@captures
def test_the_smallest_capture_is_scored_by_all() -> None:
    capture = zeek.load("otrf-apt29-day1")

    found = network.measure(capture, PROTOCOLS["second half"])

    assert not found.modelled
    assert {network.OURS, "naive beacon", "RITA's form", "isolation forest"} <= found.edges.keys()
    standings = network.edge_standings(capture, found, fewest=1)
    assert standings[network.OURS].hostile == 4
