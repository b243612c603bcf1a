"""Whole loads at Xero's limits, on a clock of their own: how long they take, and what Xero sees of them."""

import multiprocessing
import random
import signal
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.sandbox.transport import ASGIApp, InProcessTransport, Message, Receive, Scope, Send
from shopify_xero_pipeline.sandbox.xero.answers import Refused
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.limits import Limits
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.models import AnyRecord
from shopify_xero_pipeline_tests.support.records import DAY, contact, invoice, payment
from shopify_xero_pipeline_tests.support.world import CREDENTIALS, START, change_set, counted
from shopify_xero_pipeline_tests.xero.calling import keep_calling

pytestmark = pytest.mark.campaign

TAKES = 0.5
"""Seconds a call is in flight."""


class SharedTime(ManualClock):
    """A clock for several threads: it moves on, to the first who wakes, when all of them sleep."""

    def __init__(self, threads: int) -> None:
        super().__init__(START)
        self._awake = threads
        self._wakes: list[datetime] = []
        self._changed = threading.Condition()

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        with self._changed:
            wake = self._now + timedelta(seconds=seconds)
            self._wakes.append(wake)
            self._rest()
            self._changed.wait_for(lambda: self._now >= wake)
            self._wakes.remove(wake)

    def leave(self) -> None:
        """A thread has ended."""
        with self._changed:
            self._rest()

    def _rest(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._wakes:
            now = min(self._wakes)
            self._elapsed += (now - self._now).total_seconds()
            self._now = now
            self._awake = self._wakes.count(now)
            self._changed.notify_all()


class Watch:
    """A Xero that takes half a second for a call, and sees when calls come, how many are in flight, what it refuses."""

    def __init__(self, clock: ManualClock, **options: Any) -> None:
        self.clock = clock
        self.books = XeroBooks()
        app = xero_app(self.books, clock, options=XeroOptions(**options))
        self.limits: Limits = app.state.xero.limits
        self.arrived: list[float] = []
        self.most_in_flight = 0
        self.refused_at: list[float] = []
        self._enter = self.limits.enter
        self.limits.enter = self._watched
        self.transport = InProcessTransport(self._slow(app))

    def client(self, store: StateStore, seed: int = 1) -> XeroClient:
        rng = random.Random(seed)
        return XeroClient(CREDENTIALS, clock=self.clock, transport=self.transport, rng=rng, calls=store.calls)

    def _watched(self) -> None:
        try:
            self._enter()
        except Exception:
            self.refused_at.append(self.passed)
            raise
        self.arrived.append(self.passed)
        self.most_in_flight = max(self.most_in_flight, self.limits.in_flight)

    def _slow(self, app: ASGIApp) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            async def later() -> Message:
                self.clock.sleep(TAKES)
                return await receive()

            await app(scope, later, send)

        return slow

    @property
    def passed(self) -> float:
        return (self.clock.now() - START).total_seconds()

    @property
    def refused(self) -> int:
        return len(self.refused_at)

    @property
    def in_a_minute(self) -> int:
        return most_at_once(self.arrived)

    def ideal(self, minute: int = 60, at_once: int = 1) -> float:
        """Return the seconds that so many calls take at least, so many at once, where none may come too early."""
        full, rest = divmod(len(self.arrived) - 1, minute)
        return 60 * full + TAKES * (rest // at_once + 1)

    def show(self, what: str, ideal: float | None = None) -> None:
        """Print the figures of a run."""
        took = f"{self.passed:.1f} s" + (f" (ideal {ideal:.1f} s)" if ideal else "")
        most = f"at most {self.in_a_minute} in 60 s and {self.most_in_flight} in flight"
        print(f"{what}: {len(self.arrived)} calls, {took}, {most}, {self.refused} refused")


def most_at_once(arrived: Sequence[float], minute: float = 60) -> int:
    """Return the greatest number in any window of a minute."""
    ordered = sorted(arrived)
    return max(bisect_left(ordered, start + minute) - n for n, start in enumerate(ordered))


def side_by_side(clock: SharedTime, jobs: Sequence[Callable[[], object]]) -> None:
    """Do jobs in threads of one clock; the first error is raised."""
    errors: list[BaseException] = []

    def done(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            clock.leave()

    threads = [threading.Thread(target=done, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def loaded(loader: Loader, people: Sequence[int], orders: Sequence[int], day: date = DAY) -> int:
    """Load new Contacts, and an Invoice and a part payment of some; return how many records were created."""
    bills = [invoice(number, contact_id=str(number)) for number in orders]
    money = [payment(bill, "50.00", number) for number, bill in zip(orders, bills, strict=True)]
    plans: list[list[AnyRecord]] = [[contact(number) for number in people], [*bills], [*money]]
    reports = [loader.load([change_set(*records, day=day)], "run") for records in plans]
    return sum(counted(report).get("created", 0) for report in reports)


@pytest.mark.long
def test_five_thousand_records_take_no_longer_than_xeros_limits_do(tmp_path: Path) -> None:
    clock = ManualClock(START)
    watch = Watch(clock)
    with closing(StateStore(f"sqlite:///{tmp_path}/state.db", clock)) as store:
        loader = Loader(watch.client(store), store, clock, random.Random(1))
        assert loaded(loader, range(1, 4001), range(1, 501)) == 5000

    watch.show("one load of 5,000 records", watch.ideal())
    assert len(watch.arrived) == 101  # batches of 50, and the look whether a new store is the first one
    assert watch.passed <= 1.1 * watch.ideal()
    assert (watch.in_a_minute, watch.refused) == (60, 0)


@pytest.mark.long
def test_loads_side_by_side_keep_the_limits_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_requests, "ATTEMPTS_BEFORE_SPLIT", (4, 4, 1))
    clock = SharedTime(6)
    watch = Watch(clock)
    created: list[int] = []

    def load(number: int) -> None:
        with closing(StateStore(f"sqlite:///{tmp_path}/state.db", clock)) as store:
            loader = Loader(watch.client(store, number), store, clock, random.Random(number))
            numbers = range(1000 * number + 1, 1000 * number + 25)
            created.append(loaded(loader, numbers, numbers, date(2026, 9, number)))

    side_by_side(clock, [partial(load, number) for number in range(1, 7)])

    watch.show("six loads side by side", watch.ideal(at_once=5))
    assert created == [72] * 6
    assert len(watch.arrived) == 114  # 6 batches of each kind and load, and a look of each at the new store
    assert watch.passed <= 1.1 * watch.ideal(at_once=5)
    assert (watch.in_a_minute, watch.most_in_flight, watch.refused) == (60, 5, 0)


def test_a_minute_half_used_by_others_is_shared_with_at_most_one_refusal(tmp_path: Path) -> None:
    """Others use 30 calls of each minute: what is left is 30."""
    clock = SharedTime(4)
    watch = Watch(clock, minute_limit=30)

    def read(number: int) -> None:
        with closing(StateStore(f"sqlite:///{tmp_path}/state.db", clock)) as store:
            client = watch.client(store, number)
            for _ in range(30):
                client.get("/Organisation")

    side_by_side(clock, [partial(read, number) for number in range(4)])

    watch.show("four processes in half a minute's calls", watch.ideal(30, at_once=4))
    assert len(watch.arrived) == 120
    assert watch.passed <= 1.1 * watch.ideal(30, at_once=4)
    assert watch.most_in_flight <= 5
    assert watch.refused <= 1


def test_somebody_elses_burst_costs_what_was_under_way_and_no_storm(tmp_path: Path) -> None:
    """In the middle of a minute others use all that is left, unseen: what leaves after the first refusal waits."""
    clock = SharedTime(4)
    watch = Watch(clock)
    ours, burst = watch.limits.enter, list[int]()

    def after_somebody_else() -> None:
        if len(watch.arrived) >= 12 and not burst:
            burst.append(len(watch.arrived))
            with suppress(Refused):
                while True:
                    watch._enter()
                    watch.limits.leave()
        ours()

    watch.limits.enter = after_somebody_else  # type: ignore[method-assign]

    def read(number: int) -> None:
        with closing(StateStore(f"sqlite:///{tmp_path}/state.db", clock)) as store:
            client = watch.client(store, number)
            for _ in range(20):
                client.get("/Organisation")

    side_by_side(clock, [partial(read, number) for number in range(4)])

    watch.show("four processes and somebody else's burst")
    assert len(watch.arrived) == 80
    assert watch.in_a_minute <= 60
    # Nobody knew of it before the first answer: of each process the one call that left at the same instant.
    assert 1 <= watch.refused <= 4
    assert len(set(watch.refused_at)) == 1


# -- real processes ----------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_four_processes_keep_the_limits_while_one_is_killed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    if kind == "postgres":
        url = request.getfixturevalue("postgres").new_schema()
    StateStore(url, ManualClock(START)).close()
    logs, context = tmp_path / "calls", multiprocessing.get_context("spawn")
    logs.mkdir()
    ready = context.Barrier(4)
    processes = [
        context.Process(target=keep_calling, args=(url, ready, logs, number, 2 if number == 0 else None))
        for number in range(4)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)

    assert [one.exitcode for one in processes] == [-signal.SIGKILL, 0, 0, 0]
    calls = [[float(at) for at in line.split()] for log in logs.iterdir() for line in log.read_text().splitlines()]
    killed_at = max(one[-1] for one in calls if len(one) == 2)
    in_flight = max(sum(one[0] <= at < one[-1] for one in calls) for at, *_ in calls)
    in_a_minute = most_at_once([one[1] for one in calls])
    print(
        f"four processes on {kind}, one killed: {len(calls)} calls, at most {in_a_minute} in 60 s, {in_flight} at once"
    )
    assert in_a_minute <= 60
    assert in_flight <= 5
    assert sum(one[0] > killed_at for one in calls) >= 20
