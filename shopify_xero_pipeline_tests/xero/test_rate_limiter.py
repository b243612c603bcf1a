"""Xero's limits: what is counted, what is held back, what every kind of 429 does, and what happens after a denial."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.state.api_calls import Call, InMemoryCalls
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroDeniedError, XeroUnavailableError
from shopify_xero_pipeline.xero.rate_limiter import RateLimiter
from shopify_xero_pipeline_tests.support.records import contact, invoice
from shopify_xero_pipeline_tests.support.world import CREDENTIALS, World, counted

START = datetime(2026, 9, 22, tzinfo=UTC)


class Waiting(ManualClock):
    """A clock that remembers how long was slept, and lets something happen during a sleep."""

    def __init__(self) -> None:
        super().__init__(START)
        self.slept: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)
        self.meanwhile()

    @property
    def passed(self) -> float:
        return (self.now() - START).total_seconds()


class Two:
    """Two processes before one organisation. Each call takes half a second unless told."""

    def __init__(self) -> None:
        self.clock = Waiting()
        self.calls = InMemoryCalls(self.clock)
        self.one, self.other = self.pacer(), self.pacer()

    def pacer(self, credentials: str = "mine", seed: int = 1) -> RateLimiter:
        return RateLimiter(self.calls, self.clock, random.Random(seed), credentials)

    def call(
        self,
        pacer: RateLimiter | None = None,
        status: int = 200,
        *,
        writes: bool = False,
        takes: float = 0.5,
        **headers: str,
    ) -> float:
        """Make a call and return when it left, in seconds from the start."""
        pacer = pacer or self.one
        call = pacer.acquire(writes=writes, reserve=not writes)
        left = self.clock.passed
        self.clock._now += timedelta(seconds=takes)
        pacer.record_response(call, status, spelt(headers), writes=writes)
        return left

    def start(self, pacer: RateLimiter | None = None, *, writes: bool = False) -> Call:
        return (pacer or self.one).acquire(writes=writes, reserve=not writes)


def spelt(headers: dict[str, str]) -> dict[str, str]:
    names = {"day": "x-daylimit-remaining", "minute": "x-minlimit-remaining", "problem": "x-rate-limit-problem"}
    return {names.get(name, name.replace("_", "-")): text for name, text in headers.items()}


@pytest.fixture
def two() -> Two:
    return Two()


@contextmanager
def refused(words: str = "") -> Iterator[None]:
    with pytest.raises((DailyQuotaExceededError, XeroDeniedError), match=words or None):
        yield


# -- a minute and what is in flight ------------------------------------------------------------------------------------


def test_two_processes_share_sixty_calls_a_minute(two: Two) -> None:
    left = [two.call(pacer) for pacer in [two.one, two.other] * 75]

    assert max(sum(start <= one < start + 60 for one in left) for start in left) == 60
    # 60 calls of half a second; the next 60 begin when a minute has passed since the end of the first
    assert (left[59], left[60], left[120]) == (29.5, 60.5, 121.0)


def test_a_sixth_call_waits_until_one_of_five_has_ended(two: Two) -> None:
    flying = [two.start(pacer) for pacer in [two.one, two.other, two.one, two.other, two.one]]

    def land() -> None:
        if two.clock.passed == 2:
            two.one.record_response(flying[0], 200, {}, writes=False)

    two.clock.meanwhile = land
    two.start(two.other)

    assert two.clock.passed == 2


def test_calls_of_a_process_that_died_stop_being_in_flight_after_a_minute(two: Two) -> None:
    for _ in range(5):
        two.start()
    two.start(two.other)
    assert two.clock.passed == 60


def test_a_place_kept_for_a_write_is_used_by_it_and_lapses_after_fifteen_seconds(two: Two) -> None:
    slot = two.start(writes=True)
    two.clock.sleep(15)
    two.one.release(two.one.acquire(writes=True, reserve=True, slot=slot), lost=False)
    with two.calls.transaction() as traffic:
        assert [call.started_at for call in traffic.calls] == [START]

    slot = two.start(writes=True)
    two.clock.sleep(15.1)
    assert two.one.acquire(writes=True, reserve=True, slot=slot).started_at == START + timedelta(seconds=30.1)


def test_a_clock_that_is_put_back_does_not_stop_the_work(two: Two) -> None:
    for _ in range(60):
        two.call(minute="0", day="5")
    two.call(status=429, retry_after="60")
    two.clock._now -= timedelta(days=2)
    two.clock.slept.clear()

    two.call()

    assert two.clock.slept == []


# -- what headers and 429s say -----------------------------------------------------------------------------------------


def test_a_minute_that_others_have_used_is_waited_for_from_its_first_answer(two: Two) -> None:
    left = [two.call(minute=str(29 - n)) for n in range(30)]
    assert left == [n / 2 for n in range(30)]
    assert two.call(two.other) == 60.5  # the first answer came at 0.5


def test_the_last_calls_of_a_minute_are_not_given_away_twice(two: Two) -> None:
    two.call(minute="2")
    flying = [two.start(), two.start(two.other)]

    def land() -> None:
        if flying and two.clock.passed >= 3:
            two.one.record_response(flying.pop(), 200, {"x-minlimit-remaining": str(len(flying))}, writes=False)

    two.clock.meanwhile = land
    two.start(two.other)

    assert two.clock.passed == 60.5


def test_an_older_answer_that_comes_later_gives_no_call_back(two: Two) -> None:
    first, second = two.start(), two.start()
    two.one.record_response(second, 200, {"x-minlimit-remaining": "0"}, writes=False)
    two.one.record_response(first, 200, {"x-minlimit-remaining": "1"}, writes=False)
    assert two.call() == 60


@pytest.mark.parametrize("problem", ["minute", "concurrent", "appminute"])
def test_a_429_with_retry_after_holds_all_processes_back(two: Two, problem: str) -> None:
    two.call(status=429, retry_after="26", problem=problem)
    assert two.call(two.other) == 26.5


def test_after_a_429_one_call_finds_out_and_the_others_wait_for_its_answer(two: Two) -> None:
    two.call(status=429, retry_after="10", problem="minute")
    probe = two.start()
    assert two.clock.passed == 10.5

    def land() -> None:
        if two.clock.passed == 12:
            two.one.record_response(probe, 200, {}, writes=False)

    two.clock.meanwhile = land
    two.start(two.other)
    assert two.clock.passed == 12
    two.start(two.other)
    assert two.clock.passed == 12


def test_an_answer_of_before_the_429_does_not_open_the_gate(two: Two) -> None:
    early = two.start(two.other)
    two.clock.sleep(1)
    two.call(status=429, retry_after="10", problem="minute", takes=0)
    two.other.record_response(early, 200, {}, writes=False)
    two.start()
    two.clock.meanwhile = lambda: None
    two.start(two.other)  # the probe never answers: it is lost after a minute
    assert two.clock.passed == 71


@pytest.mark.parametrize("problem", ["concurrent", "appminute"])
def test_a_limit_that_names_no_time_is_backed_off_from_for_longer_and_longer(problem: str) -> None:
    firsts, thirds = [], []
    for seed in range(50):
        two = Two()
        pacer = two.pacer(seed=seed)
        left = [two.call(pacer, status=429, problem=problem, takes=0) for _ in range(4)]
        firsts.append(left[1])
        thirds.append(left[3] - left[2])
    assert 1 < sum(firsts) / 50 < 3  # full jitter up to 4 s
    assert 6 < sum(thirds) / 50 < 10  # up to 16 s
    assert max(thirds) <= 16


@pytest.mark.parametrize("headers", [{"problem": "day", "retry_after": "3600"}, {"retry_after": "3600"}])
def test_the_end_of_the_day_stops_every_process_until_the_day_has_turned(two: Two, headers: dict[str, Any]) -> None:
    two.call(status=429, **headers)

    with refused(r"before 2026-09-22 01:00 UTC.*Xero's day has turned"):
        two.call(two.other)
    two.clock.sleep(3599)
    with refused():
        two.one.acquire(writes=True, reserve=False)
    two.clock.sleep(1)
    two.call(two.other, day="4999")


def test_a_days_end_that_names_no_time_is_believed_for_an_hour(two: Two) -> None:
    two.call(status=429, problem="day")
    two.clock.sleep(3600)
    with refused("0 more calls today"):
        two.call(two.other)
    two.clock.sleep(1)
    two.call(two.other)


@pytest.mark.parametrize(
    ("seen", "kept"), [([1000], 100), ([5000], 500), ([5000, 900], 500), ([5000, 100, 990], 100), ([8000], 800)]
)
def test_a_tenth_of_the_plans_day_is_kept_for_reading_back(two: Two, seen: list[int], kept: int) -> None:
    for left in seen:
        two.call(day=str(left))

    two.call(day=str(kept + 1), writes=True)
    two.call(two.other, day=str(kept), writes=True)
    with refused(f"{kept} more calls today; {kept} are reserved"):
        two.call(writes=True)
    two.call(day="1")
    two.call(day="0")
    with refused("0 more calls today"):
        two.call(two.other)


def test_calls_in_flight_are_reckoned_as_spent(two: Two) -> None:
    two.call(day="102")
    for _ in range(2):
        two.start(two.other, writes=True)
    with refused():
        two.start(writes=True)


# -- the budget of retries ---------------------------------------------------------------------------------------------


def test_thirty_five_failures_use_the_retry_budget_up_and_fourteen_successes_buy_the_next(two: Two) -> None:
    worth = []
    for _ in range(36):
        two.call(status=503)
        worth.append(two.one.may_retry)
    assert worth == [True] * 35 + [False]  # 500 tokens at 14 each

    two.one.release(two.start(), lost=True)
    assert not two.one.may_retry
    for _ in range(4):  # 10 tokens were left
        two.call()
    two.call(two.other, status=500)
    assert two.other.may_retry
    two.call(status=500)
    assert not two.one.may_retry


def test_a_call_that_was_never_sent_is_no_failure(two: Two) -> None:
    for _ in range(36):
        two.one.release(two.start(), lost=False)
    two.call(status=503)
    assert two.one.may_retry


def test_an_hour_without_a_failure_makes_the_retry_budget_whole(two: Two) -> None:
    for _ in range(36):
        two.call(status=503)
    two.clock.sleep(3601)
    two.call(status=503)
    assert two.one.may_retry


def test_a_broken_xero_is_not_hammered_with_reads() -> None:
    clock, asked = ManualClock(START), []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 86_400})
        asked.append(request)
        return httpx.Response(503)

    client = XeroClient(CREDENTIALS, clock=clock, transport=httpx.MockTransport(answer), rng=random.Random(1))
    for _ in range(5):
        with pytest.raises(XeroUnavailableError, match="failed 6 times"):
            client.get("/Invoices")
    for calls in (36, 37):  # 35 failures may be tried again; from then on each read asks once
        with pytest.raises(XeroUnavailableError, match="The retry budget is used up"):
            client.get("/Invoices")
        assert len(asked) == calls


# -- a connection that is denied ---------------------------------------------------------------------------------------


def test_writes_stop_for_a_quarter_of_an_hour_after_a_denial_and_say_why(two: Two) -> None:
    two.one.record_denial(403)

    with refused(r"at 00:00 UTC \(status 403\).*XERO_TENANT_ID.*before 00:15 UTC"):
        two.other.acquire(writes=True, reserve=False)
    two.call(two.pacer("changed"), status=401, writes=True)
    two.call(two.other, status=403)


def test_one_probe_decides_whether_writes_go_on(two: Two) -> None:
    two.one.record_denial(401)
    two.clock.sleep(900)

    probe = two.start(writes=True)
    with refused():
        two.other.acquire(writes=True, reserve=False)
    two.one.record_response(probe, 401, {}, writes=True)
    two.one.record_denial(401)
    two.clock.sleep(899)
    with refused():
        two.other.acquire(writes=True, reserve=False)

    two.clock.sleep(1)
    two.call(two.other, writes=True)
    two.call(writes=True)


def test_other_requests_of_the_process_that_probes_wait_for_the_probe(two: Two) -> None:
    two.one.record_denial(401)
    two.clock.sleep(900)
    probe = two.start(writes=True)
    two.clock.meanwhile = lambda: (
        two.one.record_response(probe, 200, {}, writes=True) if two.clock.passed == 903 else None
    )
    assert two.start(writes=True).started_at == START + timedelta(seconds=903)


def test_a_call_counts_for_a_minute_after_its_arrival_which_takes_two_seconds_at_most(two: Two) -> None:
    slow = two.start()
    two.clock._now += timedelta(seconds=30)
    two.one.release(slow, lost=False)
    for _ in range(59):
        two.call(takes=0)
    assert two.call() == 62


def test_a_probe_that_dies_is_made_up_for_by_another_one_after_a_minute(two: Two) -> None:
    two.one.record_denial(401)
    two.clock.sleep(900)
    two.start(writes=True)
    with refused():
        two.other.acquire(writes=True, reserve=False)
    two.clock.sleep(60)
    two.call(two.other, writes=True)
    two.call(two.other, writes=True)


@pytest.mark.parametrize(("status", "shown"), [(403, True), (401, False)])
def test_a_read_shows_that_the_connection_stands_but_not_that_it_may_write(two: Two, status: int, shown: bool) -> None:
    two.one.record_denial(status)
    two.call(two.other)
    if shown:
        two.one.acquire(writes=True, reserve=False)
    else:
        with refused():
            two.one.acquire(writes=True, reserve=False)


@pytest.mark.parametrize("status", [401, 403])
def test_the_next_load_sends_nothing_to_a_connection_that_was_denied(world: World, status: int) -> None:
    world.load(contact())
    world.fault(FaultKind.ANSWER, status=status, path="/Invoices", times=None)
    with pytest.raises(XeroDeniedError):
        world.load(invoice())
    world.faults.clear()
    calls = world.xero.limits.calls

    world.restart()
    with pytest.raises(XeroDeniedError, match=rf"status {status}.*Nothing is written before 00:15 UTC"):
        world.load(invoice())
    assert world.xero.limits.calls == calls

    world.wait(900)
    assert counted(world.load(invoice())) == {"created": 1}


def test_other_credentials_are_tried_at_once(world: World) -> None:
    world.load(contact())
    world.fault(FaultKind.ANSWER, status=401, path="/Invoices", times=2)
    with pytest.raises(XeroDeniedError):
        world.load(invoice())

    mended = XeroCredentials("sandbox", "sandbox", scopes=f"{CREDENTIALS.scopes} accounting.attachments")
    client = XeroClient(mended, clock=world.clock, transport=world.transport, calls=world.store.calls)
    client.ready()


def test_a_spent_day_stops_the_next_process_without_a_call(world: World) -> None:
    world.load(contact())
    world.fault(FaultKind.DAY_LIMIT, retry_after=3600, path="/Invoices", times=1)
    assert counted(world.load(invoice())) == {"postponed": 1}
    calls = world.xero.limits.calls

    world.restart()
    report = world.load(invoice())
    assert (counted(report), world.xero.limits.calls) == ({"postponed": 1}, calls)
    assert "before 2026-09-22 01:00 UTC" in report.results[0].reason

    world.wait(3600)
    assert counted(world.load(invoice())) == {"created": 1}


def test_processes_in_turns_are_never_refused_where_others_leave_them_half_of_each_minute(world: World) -> None:
    clients = [
        XeroClient(CREDENTIALS, clock=world.clock, transport=world.transport, calls=world.store.calls) for _ in range(3)
    ]
    world.options.minute_limit = 30
    for client in chain.from_iterable(repeat(clients, 40)):
        client.get("/Organisation")
    assert world.xero.limits.calls == 120
    assert sum(client.calls for client in clients) == 120
