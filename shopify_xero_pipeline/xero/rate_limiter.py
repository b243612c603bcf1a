"""Xero's limits: when one more call may leave, and what answers say of it (docs/contracts/xero.md §2).

60 calls in any rolling minute, 5 in flight, a day's budget of which a tenth is kept for reading back; a 429 of any kind
is obeyed; failures that may pass draw on a budget of retries; a connection that was denied is left alone for a while.
The pacer waits and refuses, it sends nothing. All it knows stands in the record of `state/api_calls.py`, so that
several processes keep the limits together. What is left of the day is read from headers, because plans differ.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state.api_calls import MINUTE, Call, InMemoryCalls, LimitStatus, RateWindow
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroDeniedError

CALLS_PER_MINUTE = 60
MAX_CONCURRENT_CALLS = 5
MAX_WAIT_SECONDS = 120
"""Seconds; a 429 that asks for more than this is the end of the day's work."""

SMALL_DAY, LARGE_DAY = 1_000, 5_000
RESERVED_SHARE = 10
DAY = timedelta(hours=24)
FORGET_DAY_AFTER = timedelta(hours=1)
"""What a header said of the day is believed for so long; a day turns at a time that only a 429 names."""

POLL_SECONDS = 0.25
"""Seconds after which is looked again whether a call in flight has ended."""

FIRST_BACK_OFF, LONGEST_BACK_OFF = 4.0, 20.0
HELD_FOR = timedelta(seconds=15)
"""A place kept for a write may be used for so long; its call then still ends before it would be taken for lost."""

RETRY_BUDGET, RETRY_COST = 500, 14
"""Failures cost, successes pay back 1: about one failure in fifteen can be tried again for ever (figures of AWS)."""

WHOLE_AGAIN_AFTER = timedelta(hours=1)
DENIED_FOR = timedelta(minutes=15)
PROBE_FOR = timedelta(seconds=60)


class RateLimiter:
    """Holds calls back so that Xero never has to.

    Args:
        calls: the record, shared by all that work on one store.
        clock: waits.
        rng: draws the pause after a 429 that names none.
        credentials: a short hash of what the connection signs in with; another one is a new start after a denial.

    Attributes:
        may_retry: whether the retry budget still bore the last failure.
    """

    def __init__(self, calls: InMemoryCalls, clock: Clock, rng: random.Random, credentials: str = "") -> None:
        self._calls = calls
        self._clock = clock
        self._rng = rng
        self._credentials = credentials
        self._held: Call | None = None
        self.may_retry = True

    def refuse_writes(self) -> None:
        """Pass if a write may be sent as things stand, now or after a pause.

        Raises:
            DayBudgetSpent: no call is left today, or only the reserve.
            XeroDeniedError: Xero denied a call lately, and it is not yet time to try again.
        """
        with self._calls.transaction() as traffic:
            self._refuse_denied(traffic)
            _refuse_spent(traffic, reserve=False)

    def reserve_slot(self) -> None:
        """Wait until a write may leave, and keep its place for the next call of this client.

        Raises:
            DayBudgetSpent: no call is left today, or only the reserve.
            XeroDeniedError: Xero denied a call lately, and it is not yet time to try again.
        """
        self._held = self.acquire(writes=True, reserve=False)

    def acquire(self, *, writes: bool, reserve: bool) -> Call:
        """Wait until a call may leave, and enter it.

        Args:
            writes: it changes something in Xero.
            reserve: it may use the reserve of the day's budget.

        Raises:
            DayBudgetSpent: no call is left today, or only the reserve.
            XeroDeniedError: it would write, Xero denied a call lately, and it is not yet time to try again.
        """
        held, self._held = self._held, None
        if held is not None and held.started_at <= self._clock.now() <= held.started_at + HELD_FOR:
            return held
        while True:
            with self._calls.transaction() as traffic:
                if writes:
                    self._refuse_denied(traffic)
                _refuse_spent(traffic, reserve)
                pause = max(_server_imposed_delay(traffic), _local_delay(traffic))
                if pause <= 0:
                    return self._entered(traffic, writes)
            self._clock.sleep(pause)

    def release(self, call: Call, *, lost: bool) -> None:
        """Note that a call ended without an answer: on the way (`lost`), or because it was never sent."""
        with self._calls.transaction() as traffic:
            traffic.end(call)
            if lost:
                self._fail(traffic)

    def record_response(
        self,
        call: Call,
        status: int,
        headers: Mapping[str, str],
        *,
        writes: bool,
        clock_ahead: timedelta | None = None,
    ) -> None:
        """Note that a call was answered, what its answer says of the limits, and how far our clock is ahead."""
        with self._calls.transaction() as traffic:
            traffic.end(call)
            _read_budgets(traffic, headers, status)
            if clock_ahead is not None:
                traffic.read_clock(clock_ahead)
            if status == 429:
                self._limit(traffic, headers)
                return
            if traffic.status.limited_at is None or call.started_at >= traffic.status.limited_at:
                traffic.status.limited_at, traffic.status.limited = None, 0
            if status >= 500:
                self._fail(traffic)
            elif status < 400:
                _succeed(traffic.status, writes)

    def record_denial(self, status: int) -> None:
        """Note that Xero denies this connection a call for good (401 or 403): writes stop for a while."""
        with self._calls.transaction() as traffic:
            standing = traffic.status
            standing.denied, standing.denied_to, standing.denied_at = status, self._credentials, traffic.now
            standing.denied_until = traffic.now + DENIED_FOR

    def _entered(self, traffic: RateWindow, writes: bool) -> Call:
        if writes and traffic.status.denied:  # it is the one that finds out whether Xero still denies
            traffic.status.denied_until = traffic.now + PROBE_FOR
        return traffic.start()

    def _refuse_denied(self, traffic: RateWindow) -> None:
        standing = traffic.status
        until = _ahead(standing.denied_until, traffic.now, DENIED_FOR)
        if not standing.denied or standing.denied_to != self._credentials or until is None:
            return
        raise XeroDeniedError(
            f"Xero did not let this connection in at {standing.denied_at:%H:%M} UTC (status {standing.denied}). Check "
            "XERO_TENANT_ID and the scopes, and connect it again if it was disconnected. Nothing is written before "
            f"{until:%H:%M} UTC, unless the credentials are changed."
        )

    def _limit(self, traffic: RateWindow, headers: Mapping[str, str]) -> None:
        """Obey a 429: the day's ends the work, any other one holds every process back."""
        standing, now, asked = traffic.status, traffic.now, retry_after(headers)
        standing.minute_left = None
        if is_daily_limit(headers):
            standing.day_left, standing.day_seen_at = (0 if asked is None else None), now
            standing.day_turns_at = None if asked is None else now + timedelta(seconds=asked)
            return
        if asked is None:
            longest = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2**standing.limited)
            standing.limited += 1
        pause = timedelta(seconds=self._rng.uniform(0, longest) if asked is None else asked)
        standing.limited_at = now
        standing.not_before = max(now + pause, _ahead(standing.not_before, now) or now)

    def _fail(self, traffic: RateWindow) -> None:
        standing, now = traffic.status, traffic.now
        if standing.failed_at is None or now - standing.failed_at > WHOLE_AGAIN_AFTER:
            standing.retries = RETRY_BUDGET
        self.may_retry = standing.retries >= RETRY_COST
        standing.retries -= RETRY_COST if self.may_retry else 0
        standing.failed_at = now


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the seconds a 429 asks to wait, or None: only minute and day limits name them."""
    text = headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() else None


def is_daily_limit(headers: Mapping[str, str]) -> bool:
    """Tell whether a 429 means that no call is left today."""
    return headers.get("x-rate-limit-problem") == "day" or (retry_after(headers) or 0) > MAX_WAIT_SECONDS


def remaining_calls(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return how many calls an answer leaves for Xero's day and for this minute, as far as it says so."""
    day, minute = (headers.get(f"x-{window}limit-remaining", "") for window in ("day", "min"))
    return int(day) if day.isdecimal() else None, int(minute) if minute.isdecimal() else None


def daily_limit(standing: LimitStatus) -> int:
    """Return how many calls Xero's day has, by the most that was ever left of it."""
    return next((size for size in (SMALL_DAY, LARGE_DAY) if standing.day_most <= size), standing.day_most)


def _ahead(
    until: datetime | None, now: datetime, longest: timedelta = timedelta(seconds=MAX_WAIT_SECONDS)
) -> datetime | None:
    """Return an instant that is still to come; one too far away was meant by a clock that has been put back since."""
    return until if until is not None and now < until <= now + longest else None


def _refuse_spent(traffic: RateWindow, reserve: bool) -> None:
    standing, now = traffic.status, traffic.now
    turns_at = _ahead(standing.day_turns_at, now, DAY)
    if turns_at is not None:
        raise DailyQuotaExceededError(
            f"Xero takes no more calls before {turns_at:%Y-%m-%d %H:%M} UTC, as today's are used up. "
            "What is left stays planned and is written once Xero's day has turned."
        )
    if standing.day_left is None or standing.day_seen_at is None:
        return
    if abs(now - standing.day_seen_at) > FORGET_DAY_AFTER:
        return
    day = daily_limit(standing)
    if standing.day_left - traffic.under_way <= (0 if reserve else day // RESERVED_SHARE):
        raise DailyQuotaExceededError(
            f"Xero allows {standing.day_left} more calls today; {day // RESERVED_SHARE} are kept for reading back. "
            "What is left stays planned and is written once Xero's day has turned."
        )


def _server_imposed_delay(traffic: RateWindow) -> float:
    """Return the seconds to wait because of what Xero said."""
    standing, now = traffic.status, traffic.now
    until = _ahead(standing.not_before, now)
    if until is not None:
        return (until - now).total_seconds()
    if standing.limited_at is not None and traffic.under_way:  # after a 429 one call finds out, not all at once
        return POLL_SECONDS
    turns_at = standing.minute_from and _ahead(standing.minute_from + MINUTE, now)
    if turns_at is None or standing.minute_left is None or standing.minute_left > traffic.under_way:
        return 0.0
    return POLL_SECONDS if standing.minute_left else (turns_at - now).total_seconds()


def _local_delay(traffic: RateWindow) -> float:
    """Return the seconds to wait because of our own calls."""
    if traffic.under_way >= MAX_CONCURRENT_CALLS:
        return POLL_SECONDS
    free = sorted(one.counts_until(traffic.now) for one in traffic.calls)
    return (free[-CALLS_PER_MINUTE] - traffic.now).total_seconds() if len(free) >= CALLS_PER_MINUTE else 0.0


def _read_budgets(traffic: RateWindow, headers: Mapping[str, str], status: int) -> None:
    """Take note of what is left of the minute and the day.

    Answers of calls in flight may come in another order than Xero counted them, so a figure that is a little greater
    than the one before is an older one; a much greater one is that of a new minute or day.
    """
    standing, now = traffic.status, traffic.now
    day_left, minute_left = remaining_calls(headers)
    if day_left is not None:
        turned = standing.day_left is None or day_left > standing.day_left + MAX_CONCURRENT_CALLS
        turned |= standing.day_seen_at is not None and now - standing.day_seen_at >= DAY
        standing.day_most = day_left if turned else max(day_left, standing.day_most)
        standing.day_left, standing.day_seen_at = day_left, now
        if status != 429:
            standing.day_turns_at = None
    if minute_left is not None and status != 429:
        known = standing.minute_left
        same = standing.minute_from and _ahead(standing.minute_from + MINUTE, now)
        if known is None or not same or minute_left > known + MAX_CONCURRENT_CALLS:
            standing.minute_left, standing.minute_from = minute_left, now
        else:
            standing.minute_left = min(minute_left, known)


def _succeed(standing: LimitStatus, writes: bool) -> None:
    standing.retries = min(RETRY_BUDGET, standing.retries + 1)
    if standing.denied and (writes or standing.denied == 403):  # a read does not show that writes are allowed
        standing.denied, standing.denied_to, standing.denied_at, standing.denied_until = 0, "", None, None
