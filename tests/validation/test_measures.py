from dataclasses import replace

import msgspec
import pytest

from models.incidents import Alert as Incident
from service.emulation.labels import Attack, Lookalike
from service.validation.chains import chain_rows
from service.validation.lookalikes import lookalike_rows, strangest
from service.validation.measures import measure
from service.validation.outcomes import outcomes, scenario_rows
from service.validation.report import Setting
from service.validation.trial import Trial
from tests.validation.made_up import attack, iso, quiet, scored, trial

pytestmark = pytest.mark.slow

SETTING = Setting(split="development", seeds=(1,), workloads=100, days=4, learn_days=2, flows=0, budget=1.0)
FIRST, SECOND, THIRD, FOURTH = (f"docker:shop/w{n:03d}" for n in range(4))


def peaks(found: dict[tuple[str, float], float], workloads: int = 100) -> list[tuple[str, float, float]]:
    return [(name, hour, found.get((name, hour), bits)) for name, hour, bits in quiet(workloads, 2)]


def heartbeat(workload: str, start: float) -> Lookalike:
    return Lookalike(kind="B9", act="heartbeat", workload=workload, start=iso(start), end=iso(start + 1))


def test_a_scenario_is_told_with_its_ranks_reasons_and_separation() -> None:
    scores = scored(
        peaks({(FIRST, 5.0): 15.0, (SECOND, 5.0): 11.0, (THIRD, 7.0): 17.0}),
        reasons=("network.new_name", "network.beacon"),
    )
    told = trial(
        scores, [attack(1, FIRST, 4.9, 5.2)], [heartbeat(SECOND, 5.0), heartbeat(FOURTH, 5.0), heartbeat(FIRST, 5.0)]
    )

    (found,) = outcomes(told)

    assert (found.bits, found.rank, found.reason) == (15.0, 2, 2)
    assert found.caught == (False, True, True)
    assert found.delay == pytest.approx(16.0)
    # its own window is an attack's, so the heartbeat on its workload tells nothing: 15 - 11 and 15 - 1
    assert (found.above, found.above_share) == (9.0, 1.0)


def test_an_expected_reason_that_was_not_given_has_no_place() -> None:
    (found,) = outcomes(trial(scored(peaks({(FIRST, 5.0): 15.0}), reasons=("x",)), [attack(1, FIRST, 5.0, 5.2)]))

    assert found.reason == 0


def test_an_attack_without_a_window_is_missed() -> None:
    (found,) = outcomes(trial(scored(peaks({})), [attack(1, "docker:gone/away", 5.0, 5.2)]))

    assert (found.bits, found.windows, found.caught, found.delay) == (0.0, 0, (False, False, False), None)


def test_runs_of_a_scenario_are_summed_over_estates() -> None:
    caught = {(FIRST, 5.0): 15.0}
    missed = {(SECOND, 5.0): 15.0, (SECOND, 20.0): 14.0, (SECOND, 40.0): 13.0, (THIRD, 5.0): 12.0}
    found = [o for p in (caught, missed) for o in outcomes(trial(scored(peaks(p)), [attack(1, FIRST, 5.0, 5.2)]))]

    (row,) = scenario_rows(found, {})

    assert (row.runs, row.caught, row.bits) == (2, (1, 1, 1), 8.0)


def test_a_lookalike_costs_the_false_alerts_that_it_lies_in() -> None:
    scores = scored(peaks({(FIRST, 5.0): 12.0, (SECOND, 9.0): 11.0}))
    told = trial(scores, [], [heartbeat(FIRST, 5.0), heartbeat(SECOND, 30.0)])

    (row,) = lookalike_rows([told])

    assert (row.kind, row.acts, row.spread[4], row.alerts) == ("B9", 2, 12.0, (0, 1, 1))
    assert [(alert.workload, alert.acts) for alert in strangest([told], 1.0)] == [
        (FIRST, ("B9 heartbeat",)),
        (SECOND, ()),
    ]


def chain(**more: object) -> list[Attack]:
    parts = [
        attack(2, FIRST, 5.0, 5.2, chain="A001", scenario="I01"),
        attack(3, SECOND, 9.0, 9.2, chain="A001", scenario="N15"),
    ]
    whole = attack(1, FIRST, 5.0, 9.2, scenario="C01", workloads=(FIRST, SECOND), **more)
    return [whole, *parts]


def test_joined_evidence_can_stand_where_no_part_does() -> None:
    """Each part is weaker than a benign workload's strongest hour, both together stronger than any two of it."""
    scores = scored(peaks({(FIRST, 5.0): 9.0, (SECOND, 9.0): 9.0, (THIRD, 7.0): 11.0, (FOURTH, 7.0): 10.0}))
    told = trial(scores, chain())

    (row,) = chain_rows(told, outcomes(told), {})

    assert (row.stages, row.best, row.joined) == (2, 9.0, 18.0)
    assert (row.best_place, row.joined_place) == (3, 1)
    assert (row.fired, row.rank) == ((0, 2, 2), 3)


def test_a_chain_is_one_story_to_no_table_of_scenarios() -> None:
    """Neither the chain nor its parts count as scenarios, and its days between the parts excuse no false alert."""
    scores = scored(peaks({(FIRST, 5.0): 9.0, (SECOND, 6.0): 12.0}))
    told = trial(scores, chain())

    assert scenario_rows(outcomes(told), {}) == []
    assert [alert.true for alert in told.judge.alerts(8.0)] == [False, True]


def test_incidents_of_a_chain_are_those_on_its_workloads_in_its_time() -> None:
    scores = scored(peaks({(FIRST, 5.0): 9.0, (SECOND, 9.0): 8.0}))

    def incident(workload: str, hour: float, bits: float) -> Incident:
        return Incident(
            id=f"{iso(hour)}/{workload}", workload=workload, start=iso(hour), end=iso(hour + 0.2), severity="low",
            bits=bits, windows=1,
            strongest=None,  # type: ignore[arg-type]
        )  # fmt: skip

    incidents = [(THIRD, 5.0, 11.0), (FIRST, 5.0, 9.0), (SECOND, 9.0, 8.0), (FIRST, 40.0, 7.0)]
    told = replace(trial(scores, chain()), incidents=tuple(incident(*own) for own in incidents))

    (row,) = chain_rows(told, outcomes(told), {})

    assert (row.incident, row.incidents) == (2, 2)


def test_alerts_on_a_benign_chain_are_false_and_it_must_stay_low() -> None:
    benign = attack(1, FIRST, 5.0, 9.0, scenario="C09", benign=True)
    loud = trial(scored(peaks({(FIRST, 5.0): 15.0})), [benign, attack(2, SECOND, 1.0, 2.0)])
    low = trial(scored(peaks({(FIRST, 5.0): 5.0, (THIRD, 1.0): 9.0, (FOURTH, 1.0): 9.5})), [benign])

    gates = {name: _gate(told, "benign chains stay low") for name, told in (("loud", loud), ("low", low))}

    assert [alert.true for alert in loud.judge.alerts(10.0)] == [False]
    assert gates == {"loud": False, "low": True}


def _gate(told: Trial, name: str) -> bool:
    return next(gate.passed for gate in measure([told], SETTING).gates if gate.name == name)


def test_realised_rates_are_counted_in_alerts_a_day_for_the_fleet() -> None:
    found = {(SECOND, 3.0): 12.0, (SECOND, 4.0): 12.0, (THIRD, 30.0): 11.0, (FIRST, 5.0): 15.0, (FOURTH, 1.0): 7.0}
    report = measure([trial(scored(peaks(found)), [attack(1, FIRST, 5.0, 5.2)])], SETTING)

    rates = {row.severity: row for row in report.rates}

    assert rates["high"].realised == pytest.approx(1.0, abs=0.03)
    assert rates["high"].ratio == rates["high"].realised
    assert rates["medium"].realised == pytest.approx(1.5, abs=0.04)
    assert [(share.cohort, share.alerts) for share in rates["high"].cohorts] == [("docker:shop", 2)]
    assert rates["high"].untouched == pytest.approx(1.0 * 100 / 99, abs=0.04)


def test_a_report_survives_its_json() -> None:
    report = measure([trial(scored(peaks({(FIRST, 5.0): 15.0})), [attack(1, FIRST, 5.0, 5.2)])], SETTING, ["N01"])

    assert msgspec.json.decode(report.to_json(), type=type(report)) == report
