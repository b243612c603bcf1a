"""Two processes in races that are too narrow to be met by chance, told step by step, one for each rule of its own."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from shopify_xero_pipeline.loading.readback import NOTHING, ReadBack
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.records import OperationState
from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Call
from shopify_xero_pipeline_tests.campaigns.protocol.planted import Bug
from shopify_xero_pipeline_tests.campaigns.protocol.play import Outcome, Run, Spec, stage
from shopify_xero_pipeline_tests.campaigns.protocol.trade import part_payments
from shopify_xero_pipeline_tests.campaigns.protocol.troubles import Character, Trouble

Job = Callable[["Race"], None]


class Race:
    """Two processes; the first one rests before a step of the journal, and the second one acts meanwhile."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.scene = run.scene
        self.plan = run.trade.last
        self.resting = False

    def waits(self) -> None:
        """Let the second one wait until the first one rests."""
        for _ in range(5_000):
            if self.resting:
                return
            self.scene.rest(1)
        raise AssertionError("the first process never came to its step")

    def rests_before(self, step: str, seconds: float, fits: Callable[..., bool] = lambda *_: True) -> Any:
        """Let whoever first takes a step that fits rest before it."""
        sound = getattr(Journal, step)

        def act(journal: Journal, *given: Any, **named: Any) -> Any:
            if not self.resting and fits(*given):
                self.resting = True
                self.scene.rest(seconds)
            return sound(journal, *given, **named)

        return patch.object(Journal, step, act)

    def load(self) -> None:
        """Load as a process of its own."""
        process = self.scene.start()
        process.load(self.plan, "race")
        process.close()

    def recover(self) -> None:
        """Recover as a process of its own."""
        process = self.scene.start()
        process.loader.recover()
        process.close()


@dataclass(frozen=True)
class Story:
    """What is prepared, what the second process does while the first one loads, and by how much lists lag behind."""

    prepare: Callable[[Race], list[Any]]
    second: Job
    lag: int = 0


def raced(bug: Bug | None, story: Story) -> Outcome:
    """Play a race, with a bug planted or without."""
    with stage() as home:
        run = Run(Spec(1, (), 2), home, Character(0.0, frozenset(), 5, story.lag), part_payments())
        race = Race(run)
        with ExitStack() as planted_here:
            for one in bug.plant() if bug else []:
                planted_here.enter_context(one)
            for one in story.prepare(race):
                planted_here.enter_context(one)
            return run.outcome([race.load, lambda: story.second(race)])


def of_payments(found: Any, *_: Any) -> bool:
    return bool(found.kind == "payment")


def meets_once(race: Race, trouble: Trouble, path: str) -> None:
    """Let the first write to a path meet a trouble."""
    met: list[Call] = []

    def draw(call: Call) -> Trouble | None:
        if call.is_write and call.path.endswith(path) and not met:
            met.append(call)
            return trouble
        return None

    race.scene.troubles.draw = draw  # type: ignore[method-assign]


def a_batch_is_taken_over_just_before_it_is_sent(race: Race) -> list[Any]:
    meets_once(race, Trouble.ANSWER_SLOW, "/Payments")
    release, scene = Journal.release, race.scene

    def released(journal: Journal, *given: Any, **named: Any) -> None:
        scene.rest(20)
        release(journal, *given, **named)

    return [race.rests_before("mark_sent", 50, of_payments), patch.object(Journal, "release", released)]


def load_after_taking_over(race: Race) -> None:
    race.waits()
    race.scene.rest(46)
    race.load()


def load_meanwhile(race: Race) -> None:
    race.waits()
    race.load()


def still_looked_for(verdicts: Any, *_: Any) -> bool:
    return any(one.state is OperationState.NEEDS_CHECK and one.evidence for one in verdicts)


def check_when_it_is_seen(race: Race) -> None:
    race.waits()
    race.scene.rest(350)
    race.recover()


def planning_is_overtaken(race: Race) -> list[Any]:
    return [race.rests_before("plan", 300)]


def claiming_is_overtaken(race: Race) -> list[Any]:
    return [race.rests_before("intend", 300, of_payments)]


def looking_is_overtaken(race: Race) -> list[Any]:
    meets_once(race, Trouble.TWICE, "/Contacts")
    by_id = patch.object(ReadBack, "_copies", lambda *_: NOTHING)  # or the look by id would settle it at once
    return [by_id, race.rests_before("settle", 500, still_looked_for)]


RACES: dict[str, Story] = {
    "no fence": Story(a_batch_is_taken_over_just_before_it_is_sent, load_after_taking_over),
    "planned unconditionally": Story(planning_is_overtaken, load_meanwhile),
    "claimed unconditionally": Story(claiming_is_overtaken, load_meanwhile),
    "settled unconditionally": Story(looking_is_overtaken, check_when_it_is_seen, lag=300),
}
"""By the name of the planted bug that loses the race."""
