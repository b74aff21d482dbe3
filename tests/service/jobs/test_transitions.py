"""What outputs are told as alerts come, grow, are judged and go."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.incidents import Alert, alerts
from models.scores import SEVERITIES, Severity
from service.jobs.transitions import Writer, transitions
from service.outputs.notices import Notice, Told
from service.statements import Ruling, Verdict
from tests.alerts import START, TEN, iso, score

HOUR = timedelta(hours=1)
Cells = dict[tuple[str, int], Severity]  # by workload and number of the window


class Listener:
    """An output that remembers what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.heard: list[Notice] = []
        self._ids = count()

    def look(
        self, cells: Cells, *, latest: datetime, verdicts: Sequence[Verdict] = (), accept: bool = True
    ) -> list[tuple[str, bool]]:
        """Compare until all is told; give the events of the new messages, and whether the alert is open after each."""
        writer = Writer(now=latest, new_id=lambda: str(next(self._ids)), hosts={"w": ["node-1"]})
        found = alerts([score(*place, severity) for place, severity in cells.items()])
        before = len(self.heard)
        known = {told.notice.id for told in self.told.values()}
        while step := transitions(
            list(self.told.values()), found, verdicts, accepts=lambda _: accept, latest=latest, writer=writer
        ):
            self.told |= {one.notice.alert.id: one for one in step}
            self.heard += [one.notice for one in step if one.notice.id not in known]
            known |= {one.notice.id for one in step}
        return [(notice.event, notice.open) for notice in self.heard[before:]]


def verdict(ruling: Ruling, *, name: str = "verdict-1") -> Verdict:
    return Verdict(
        id=name, verdict=ruling, workload="w", start=START, end=START + TEN, until=START + 90 * 24 * HOUR, by="alice"
    )


def test_life_of_an_alert() -> None:
    """An alert is told when it opens, when it rises and when it has been silent for six hours; growing is no news."""
    listener = Listener()

    assert listener.look({("w", 0): "high"}, latest=START + TEN) == [("opened", True)]
    assert listener.look({("w", 0): "high", ("w", 1): "high"}, latest=START + 2 * TEN) == []
    grown: Cells = {("w", 0): "high", ("w", 1): "high", ("w", 2): "critical"}
    assert listener.look(grown, latest=START + 3 * TEN) == [("raised", True)]
    assert listener.look(grown, latest=START + 3 * TEN + 6 * HOUR - TEN) == []
    assert listener.look(grown, latest=START + 3 * TEN + 6 * HOUR) == [("closed", False)]
    assert listener.look(grown, latest=START + 24 * HOUR) == []

    assert [notice.why for notice in listener.heard] == ["new", "was high", "nothing strange for 6 hours"]
    assert {notice.alert.id for notice in listener.heard} == {f"{iso(START)}/w"}
    assert [notice.alert.windows for notice in listener.heard] == [1, 3, 3]
    assert all(notice.hosts == ["node-1"] for notice in listener.heard)


def test_expected_verdict_closes() -> None:
    """An alert that a person expected is over, also once its windows are scored anew; a worse one opens it again."""
    listener = Listener()
    listener.look({("w", 0): "high"}, latest=START + TEN)

    said = [verdict("expected")]
    assert listener.look({("w", 0): "high"}, latest=START + TEN, verdicts=said) == [("judged", False)]
    assert listener.look({}, latest=START + 2 * TEN, verdicts=said) == []
    assert listener.look({("w", 2): "high"}, latest=START + 3 * TEN, verdicts=said) == [("opened", True)]

    judged = listener.heard[1]
    assert judged.why == "expected, says alice"
    assert judged.judgement is not None
    assert judged.judgement.id == "verdict-1"


def test_attack_verdict_leaves_the_alert_open() -> None:
    """What is an attack is told and goes on; each verdict is told once."""
    listener = Listener()
    cells: Cells = {("w", 0): "high"}
    listener.look(cells, latest=START + TEN)

    first, second = verdict("attack"), verdict("unsure", name="verdict-2")
    assert listener.look(cells, latest=START + TEN, verdicts=[first]) == [("judged", True)]
    assert listener.look(cells, latest=START + TEN, verdicts=[first, second]) == [("judged", True)]
    assert listener.look(cells, latest=START + 7 * HOUR, verdicts=[first, second]) == [("closed", False)]


def test_alert_that_vanishes_is_closed() -> None:
    """Late telemetry or another model may make windows ordinary: whoever was told of the alert is told that too."""
    listener = Listener()
    listener.look({("w", 0): "high"}, latest=START + TEN)

    assert listener.look({}, latest=START + 2 * TEN) == [("closed", False)]
    assert listener.heard[-1].why == "its windows are not strange any more"


def test_moved_start_is_the_same_alert() -> None:
    """Late telemetry that moves the start of an alert does not make another of it: its id stays what was first told."""
    listener = Listener()
    listener.look({("w", 5): "high"}, latest=START + HOUR)

    cells: Cells = {("w", 3): "critical", ("w", 5): "high"}
    assert listener.look(cells, latest=START + HOUR) == [("raised", True)]
    assert listener.heard[1].alert.id == listener.heard[0].alert.id == f"{iso(START + 5 * TEN)}/w"


def test_history_is_not_told() -> None:
    """A new output, or telemetry of last week, brings no flood of old alerts; a short one of today is told whole."""
    listener = Listener()

    assert listener.look({("w", 0): "high"}, latest=START + 25 * HOUR) == []
    assert listener.look({("v", 0): "high"}, latest=START + 20 * HOUR) == [("opened", True), ("closed", False)]


def test_what_an_output_does_not_want() -> None:
    """An output that does not accept an alert hears of it neither now nor when it ends."""
    listener = Listener()

    assert listener.look({("w", 0): "high"}, latest=START + TEN, accept=False) == []
    assert listener.look({("w", 0): "high"}, latest=START + 8 * HOUR, accept=False) == []


cells = st.dictionaries(
    st.tuples(st.sampled_from(["v", "w"]), st.integers(0, 200)), st.sampled_from(SEVERITIES), max_size=12
)


@given(states=st.lists(cells, max_size=6), ruling=st.sampled_from(["expected", "attack", "unsure"]))
def test_every_story_can_be_followed(states: list[Cells], ruling: Ruling) -> None:
    """However scores change, each alert's messages count from one, begin with its opening and never repeat a state."""
    listener = Listener()
    for number, state in enumerate(states):
        latest = START + TEN * (20 + 40 * number)
        said = [verdict(ruling)] if number > 1 else []
        shown: Cells = {place: severity for place, severity in state.items() if START + place[1] * TEN < latest}
        listener.look(shown, latest=latest, verdicts=said)
        assert listener.look(shown, latest=latest, verdicts=said) == []

    stories: dict[str, list[Notice]] = {}
    for notice in listener.heard:
        stories.setdefault(notice.alert.id, []).append(notice)
    for story in stories.values():
        assert [notice.sequence for notice in story] == list(range(1, len(story) + 1))
        assert [notice.event for notice in story].count("opened") == 1
        assert story[0].event == "opened"
        for before, after in pairwise(story):
            assert after.event != "closed" or before.open
            assert after.event != "raised" or rank(after.alert) > rank(before.alert)
    assert len({notice.id for notice in listener.heard}) == len(listener.heard)


def rank(alert: Alert) -> int:
    return SEVERITIES.index(alert.severity)


def test_message_is_plain_data() -> None:
    """A message reads back from the outbox as it was written."""
    listener = Listener()
    listener.look({("w", 0): "high"}, latest=START + TEN)
    (told,) = listener.told.values()

    assert msgspec.json.decode(msgspec.json.encode(told), type=Told) == told
