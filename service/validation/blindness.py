"""What is no longer caught where sensors are worse."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from shutil import rmtree

from features.lake import Lake
from models.training import TrainingError
from service.validation.outcomes import FULL
from service.validation.report import ONE, RATES, Condition, rounded
from service.validation.trial import Trial, act_of, try_out
from service.validation.visibility import CONDITIONS, Seen, Sensors, seen_through

UNSPOILT = "full visibility"


def conditions(
    lake: Lake,
    trial: Trial,
    work: Path,
    *,
    budget: float,
    chosen: Sequence[Sensors] = CONDITIONS,
    progress: Callable[[str, float], None] = lambda _step, _share: None,
) -> list[Condition]:
    """Learn and score an estate anew under each condition, and compare it with what is caught in full visibility.

    Parameters
    ----------
    lake, trial
        The estate, and how it was scored in full visibility.
    work
        Folder to make lakes in, one at a time; removed again.
    """
    seen = Seen.of(lake)
    whole = _caught(trial)
    found = [_condition(UNSPOILT, "as simulated", trial, whole)]
    for place, sensors in enumerate(chosen):
        progress(f"seen through: {sensors.name}", place / len(chosen))
        folder = work / "worse"
        try:
            worse = Lake(folder)
            seen_through(lake, sensors, worse, seen)
            told = try_out(worse, trial.labels, budget=budget)
            found.append(_condition(sensors.name, sensors.meaning, told, whole))
        except TrainingError as error:
            found.append(
                Condition(
                    name=sensors.name,
                    meaning=sensors.meaning,
                    windows=0,
                    threshold=None,
                    caught=0,
                    full=0,
                    lost=_names(trial, whole),
                    failed=str(error).partition(";")[0],
                )
            )
        finally:
            rmtree(folder, ignore_errors=True)
    return found


def _caught(trial: Trial) -> set[str]:
    threshold = trial.judge.threshold(RATES[ONE])
    return {attack.id for attack in trial.attacks if trial.judge.caught(act_of(attack), threshold)}


def _condition(name: str, meaning: str, trial: Trial, whole: set[str]) -> Condition:
    own = _caught(trial)
    return Condition(
        name=name,
        meaning=meaning,
        windows=len(trial.scored),
        threshold=rounded(threshold) if isfinite(threshold := trial.judge.threshold(RATES[ONE])) else None,
        caught=len(own),
        full=sum(attack.variant == FULL for attack in trial.attacks if attack.id in own),
        lost=_names(trial, whole - own),
        gained=_names(trial, own - whole),
    )


def _names(trial: Trial, ids: set[str]) -> tuple[str, ...]:
    """Name scenarios: at full strength by their id alone, else with the variant."""
    told = Counter(
        attack.scenario if attack.variant == FULL else f"{attack.scenario} {attack.variant}"
        for attack in trial.attacks
        if attack.id in ids
    )
    return tuple(f"{name} x{count}" if count > 1 else name for name, count in sorted(told.items()))
