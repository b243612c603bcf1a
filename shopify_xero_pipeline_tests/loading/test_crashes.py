"""The process dies at every point there is, and a new one on the same database finishes the work exactly once.

Points are counted: the n-th transaction as it begins or is about to commit, the n-th call before it arrives at Xero or
after it was executed. The new process starts after delays that straddle the window of replays and the quiet time.
"""

from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline_tests.loading.test_faults import assert_exactly_once
from shopify_xero_pipeline_tests.support.records import everything
from shopify_xero_pipeline_tests.support.world import SimulatedCrash, World

pytestmark = pytest.mark.campaign

DELAYS = (1, 60, 100, 150, 300, 400, 3600)
FEWER = [delay if delay in (1, 100, 150, 400) else pytest.param(delay, marks=pytest.mark.long) for delay in DELAYS]


class Fuse:
    """Counts what passes and dies at the n-th."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.passed = 0

    def burn(self, *_: object) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise SimulatedCrash


class Dying(httpx.BaseTransport):
    """Dies before a request arrives, or after it was executed and before its answer is back."""

    def __init__(self, inner: httpx.BaseTransport, before: Fuse, after: Fuse) -> None:
        self._inner, self._before, self._after = inner, before, after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._before.burn()
        response = self._inner.handle_request(request)
        self._after.burn()
        return response


def crash(world: World, point: str, at: int) -> bool:
    """Load with a fuse at a point; tell whether it went off."""
    fuse, never = Fuse(at), Fuse(0)
    sound = world.transport
    world.transport = Dying(sound, fuse if point == "before call" else never, fuse if point == "after call" else never)
    world.restart()
    if point in ("begin", "commit"):
        event.listen(world.store._engine, point, fuse.burn)
    try:
        world.load(*everything())
    except SimulatedCrash:
        return True
    finally:
        world.transport = sound
    return False


def recover_and_finish(world: World, delay: int) -> None:
    world.wait(delay)
    for _ in range(4):
        world.restart()
        if not world.load(*everything()).count(LoadOutcome.POSTPONED):
            break
        world.wait(700)
    assert_exactly_once(world, everything())


def points(folder: Path, point: str, stride: int) -> Iterator[tuple[World, int]]:
    delays = cycle(DELAYS)
    for at in count(1, stride):
        home = folder / f"{point}-{at}"
        home.mkdir()
        world = World(home)
        if not crash(world, point, at):
            assert at > 5
            return
        yield world, next(delays)


@pytest.mark.parametrize("point", ["before call", "after call"])
def test_a_crash_around_any_call_leads_to_exactly_one_record(tmp_path: Path, point: str) -> None:
    for world, delay in points(tmp_path, point, 1):
        recover_and_finish(world, delay)


@pytest.mark.long
@pytest.mark.parametrize("point", ["begin", "commit"])
def test_a_crash_around_any_transaction_leads_to_exactly_one_record(tmp_path: Path, point: str) -> None:
    for world, delay in points(tmp_path, point, 4):
        recover_and_finish(world, delay)


@pytest.mark.parametrize("delay", FEWER)
@pytest.mark.parametrize("late", [0, 90, 230])
def test_a_request_that_arrives_after_its_sender_died_counts_once(world: World, delay: int, late: int) -> None:
    """The write is still under way when the process dies; it lands before or after the new process asks."""
    underway: list[httpx.Request] = []
    sound = world.transport

    class Lost(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "PUT" and "/Payments" in request.url.path:
                underway.append(request)
                raise SimulatedCrash
            return sound.handle_request(request)

    world.transport = Lost()
    world.restart()
    with pytest.raises(SimulatedCrash):
        world.load(*everything())
    world.transport = sound
    if late <= delay:
        world.wait(late)
        sound.handle_request(underway[0])
        recover_and_finish(world, delay - late)
    else:
        world.wait(delay)
        world.restart()
        world.load(*everything())
        world.wait(late - delay)
        sound.handle_request(underway[0])
        recover_and_finish(world, 700)


def test_a_request_marked_sent_by_a_clock_that_went_back_is_not_replayed(world: World) -> None:
    assert crash(world, "after call", 3)
    (batch,) = world.store.journal.unsettled()
    world.clock._now = world.clock.now().replace(year=2025)
    world.restart()
    world.loader.recover()
    (still,) = world.store.journal.unsettled()
    assert (still.id, still.state.value) == (batch.id, "ambiguous")
