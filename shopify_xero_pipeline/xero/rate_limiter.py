"""The rate limiter for Xero's limits per minute, day and connection (docs/contracts/xero.md §2).

It allows 60 calls in any rolling minute and 5 in flight, and reserves a tenth of the daily quota for read-backs. It
obeys every 429, charges transient failures to a retry budget, and stops writes for a while after a denial. It waits and
refuses but sends nothing. Its state is the call record of `state/api_calls.py`, so processes share the limits. The
headers of responses give the daily quota, because Xero's plans differ.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.http.retries import RetryPolicy, retry_after
from shopify_xero_pipeline.state.api_calls import MINUTE, Call, InMemoryCalls, LimitStatus, RateWindow
from shopify_xero_pipeline.xero.errors import DailyQuotaExceededError, XeroDeniedError

CALLS_PER_MINUTE = 60
MAX_CONCURRENT_CALLS = 5
MAX_WAIT_SECONDS = 120
"""A 429 with a longer Retry-After, in seconds, means that the daily quota is used up."""

SMALL_DAY, LARGE_DAY = 1_000, 5_000  # calls per day of the Starter tier, of Core and above
RESERVED_SHARE = 10  # one tenth of the daily quota is reserved for read-backs
DAY = timedelta(hours=24)
FORGET_DAY_AFTER = timedelta(hours=1)
"""How long a header's daily quota counts; only a 429 gives the time at which Xero's day ends."""

POLL_SECONDS = 0.25
"""Interval in which the limiter checks whether a call in flight has ended."""

RETRIES = RetryPolicy(attempts=6, first=4.0, longest=20.0)
"""The attempts of a read; writes and 429s without Retry-After have the same pauses."""

REFUSAL_RETRIES = RetryPolicy(attempts=3, first=2.0, longest=4.0, min_share=0.5)
"""The attempts of a record that Xero refuses for a moment."""

SLOT_VALID_FOR = timedelta(seconds=15)
"""How long a reserved slot is valid; its call then still ends before its entry counts as lost."""

RETRY_BUDGET, RETRY_COST = 500, 14
"""A retry token bucket as in AWS SDKs: a failure costs 14 tokens, a success returns 1.

500 tokens cover 35 failures in a row, and without end about one failure in fifteen calls.
Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

BUDGET_RESET_AFTER = timedelta(hours=1)  # without a failure, after which the retry budget is full again
DENIED_FOR = timedelta(minutes=15)  # pause of writes after a 401 or 403
PROBE_FOR = timedelta(seconds=60)  # pause of other writes while one tests whether the denial persists


class RateLimiter:
    """Delays and refuses calls to stay within Xero's limits.

    Args:
        calls: the call record, shared by all processes on one store.
        clock: time and pauses.
        rng: draws the pause after a 429 without Retry-After.
        credentials: short hash of the credentials; other credentials end the pause after a denial.

    Attributes:
        may_retry: whether the retry budget covered the last failure.
    """

    def __init__(self, calls: InMemoryCalls, clock: Clock, rng: random.Random, credentials: str = "") -> None:
        self._calls = calls
        self._clock = clock
        self._rng = rng
        self._credentials = credentials
        self._probe: Call | None = None
        self.may_retry = True

    def refuse_writes(self) -> None:
        """Raise if no write may be sent, even after a pause.

        Raises:
            DailyQuotaExceededError: no call is left today, or only the reserve.
            XeroDeniedError: the pause after a denial is not over.
        """
        with self._calls.transaction() as window:
            self._refuse_denied(window)
            _refuse_spent(window, reserve=False)

    def acquire(self, *, writes: bool, reserve: bool, slot: Call | None = None) -> Call:
        """Wait until a call may be sent, and return its entry in the call record.

        Args:
            writes: the call changes data in Xero.
            reserve: the call may use the reserve of the daily quota.
            slot: an entry that an earlier call of this method returned; it is valid for `SLOT_VALID_FOR`.

        Raises:
            DailyQuotaExceededError: no call is left today, or only the reserve.
            XeroDeniedError: the call writes, and the pause after a denial is not over.
        """
        if slot is not None and slot.started_at <= self._clock.now() <= slot.started_at + SLOT_VALID_FOR:
            return slot
        while True:
            with self._calls.transaction() as window:
                is_probing = writes and self._probe is not None and self._probe.ended_at is None
                if writes and not is_probing:
                    self._refuse_denied(window)
                _refuse_spent(window, reserve)
                probe_delay = POLL_SECONDS if is_probing and window.status.denied else 0.0
                pause = max(probe_delay, _server_imposed_delay(window), _local_delay(window))
                if pause <= 0:
                    return self._enter(window, writes)
            self._clock.sleep(pause)

    def release(self, call: Call, *, lost: bool) -> None:
        """Record that a call ended without a response, either in transit (`lost`) or because it was never sent."""
        with self._calls.transaction() as window:
            window.end(call)
            if lost:
                self._fail(window)

    def record_response(
        self,
        call: Call,
        status: int,
        headers: Mapping[str, str],
        *,
        writes: bool,
        clock_ahead: timedelta | None = None,
    ) -> None:
        """Record the response to a call, with its limits.

        Args:
            call: the entry in the call record.
            status: HTTP status.
            headers: headers in lower case.
            writes: whether the call changes data in Xero.
            clock_ahead: our clock's offset from Xero's, or None if unknown.
        """
        with self._calls.transaction() as window:
            window.end(call)
            _read_budgets(window, headers, status)
            if clock_ahead is not None:
                window.read_clock(clock_ahead)
            if status == 429:
                self._limit(window, headers)
                return
            if window.status.limited_at is None or call.started_at >= window.status.limited_at:
                window.status.limited_at, window.status.limited = None, 0
            if status >= 500:
                self._fail(window)
            elif status < 400:
                _succeed(window.status, writes)

    def record_denial(self, status: int) -> None:
        """Record a final 401 or 403, after which writes pause for `DENIED_FOR`."""
        with self._calls.transaction() as window:
            limits = window.status
            limits.denied, limits.denied_to, limits.denied_at = status, self._credentials, window.now
            limits.denied_until = window.now + DENIED_FOR

    def _enter(self, window: RateWindow, writes: bool) -> Call:
        call = window.start()
        if writes and window.status.denied:  # this call alone tests whether the denial persists
            window.status.denied_until = window.now + PROBE_FOR
            self._probe = call
        return call

    def _refuse_denied(self, window: RateWindow) -> None:
        limits = window.status
        until = _ahead(limits.denied_until, window.now, DENIED_FOR)
        if not limits.denied or limits.denied_to != self._credentials or until is None:
            return
        raise XeroDeniedError(
            f"Xero denied this connection at {limits.denied_at:%H:%M} UTC (status {limits.denied}). Check "
            "XERO_TENANT_ID and the scopes, and connect it again if it was disconnected. Nothing is written before "
            f"{until:%H:%M} UTC, unless the credentials are changed."
        )

    def _limit(self, window: RateWindow, headers: Mapping[str, str]) -> None:
        """Obey a 429: one of the day ends the work, any other delays every process."""
        limits, now, seconds = window.status, window.now, retry_after(headers)
        limits.minute_left = None
        if is_daily_limit(headers):
            limits.day_left, limits.day_seen_at = (0 if seconds is None else None), now
            limits.day_turns_at = None if seconds is None else now + timedelta(seconds=seconds)
            return
        if seconds is None:
            seconds = RETRIES.pause(self._rng, limits.limited)
            limits.limited += 1
        pause = timedelta(seconds=seconds)
        limits.limited_at = now
        limits.not_before = max(now + pause, _ahead(limits.not_before, now) or now)

    def _fail(self, window: RateWindow) -> None:
        limits, now = window.status, window.now
        if limits.failed_at is None or now - limits.failed_at > BUDGET_RESET_AFTER:
            limits.retries = RETRY_BUDGET
        self.may_retry = limits.retries >= RETRY_COST
        limits.retries -= RETRY_COST if self.may_retry else 0
        limits.failed_at = now


def is_daily_limit(headers: Mapping[str, str]) -> bool:
    """Return whether a 429 means that no call is left today.

    Args:
        headers: headers with names in lower case.
    """
    return headers.get("x-rate-limit-problem") == "day" or (retry_after(headers) or 0) > MAX_WAIT_SECONDS


def remaining_calls(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the calls left in Xero's day and in this minute, each None without its header.

    Args:
        headers: headers with names in lower case.
    """
    day, minute = (headers.get(f"x-{window}limit-remaining", "") for window in ("day", "min"))
    return int(day) if day.isdecimal() else None, int(minute) if minute.isdecimal() else None


def daily_limit(limits: LimitStatus) -> int:
    """Return the calls per day of Xero's plan, estimated from the most that were left in a day."""
    return next((size for size in (SMALL_DAY, LARGE_DAY) if limits.day_most <= size), limits.day_most)


def _ahead(
    until: datetime | None, now: datetime, longest: timedelta = timedelta(seconds=MAX_WAIT_SECONDS)
) -> datetime | None:
    """Return a future instant, else None; one too far ahead comes from our clock before it was put back."""
    return until if until is not None and now < until <= now + longest else None


def _refuse_spent(window: RateWindow, reserve: bool) -> None:
    limits, now = window.status, window.now
    turns_at = _ahead(limits.day_turns_at, now, DAY)
    if turns_at is not None:
        raise DailyQuotaExceededError(
            f"Xero accepts no more calls before {turns_at:%Y-%m-%d %H:%M} UTC, as the daily quota is used up. "
            "Unsent records stay planned and are written once Xero's day has turned."
        )
    if limits.day_left is None or limits.day_seen_at is None:
        return
    if abs(now - limits.day_seen_at) > FORGET_DAY_AFTER:
        return
    day = daily_limit(limits)
    if limits.day_left - window.under_way <= (0 if reserve else day // RESERVED_SHARE):
        raise DailyQuotaExceededError(
            f"Xero allows {limits.day_left} more calls today; {day // RESERVED_SHARE} are reserved for read-backs. "
            "Unsent records stay planned and are written once Xero's day has turned."
        )


def _server_imposed_delay(window: RateWindow) -> float:
    """Return the seconds to wait because of Xero's responses."""
    limits, now = window.status, window.now
    until = _ahead(limits.not_before, now)
    if until is not None:
        return (until - now).total_seconds()
    if limits.limited_at is not None and window.under_way:  # after a 429 one call tests the limit, not all at once
        return POLL_SECONDS
    turns_at = limits.minute_from and _ahead(limits.minute_from + MINUTE, now)
    if turns_at is None or limits.minute_left is None or limits.minute_left > window.under_way:
        return 0.0
    return POLL_SECONDS if limits.minute_left else (turns_at - now).total_seconds()


def _local_delay(window: RateWindow) -> float:
    """Return the seconds to wait because of the calls in the record."""
    if window.under_way >= MAX_CONCURRENT_CALLS:
        return POLL_SECONDS
    expiries = sorted(call.counts_until(window.now) for call in window.calls)
    return (expiries[-CALLS_PER_MINUTE] - window.now).total_seconds() if len(expiries) >= CALLS_PER_MINUTE else 0.0


def _read_budgets(window: RateWindow, headers: Mapping[str, str], status: int) -> None:
    """Record the calls left in the minute and the day.

    Responses may arrive in another order than Xero counted the calls. So a figure slightly above the previous one is
    older, and one above it by more than the calls in flight belongs to a new minute or day.
    """
    limits, now = window.status, window.now
    day_left, minute_left = remaining_calls(headers)
    if day_left is not None:
        is_new_day = limits.day_left is None or day_left > limits.day_left + MAX_CONCURRENT_CALLS
        is_new_day |= limits.day_seen_at is not None and now - limits.day_seen_at >= DAY
        limits.day_most = day_left if is_new_day else max(day_left, limits.day_most)
        limits.day_left, limits.day_seen_at = day_left, now
        if status != 429:
            limits.day_turns_at = None
    if minute_left is not None and status != 429:
        previous = limits.minute_left
        is_same_minute = limits.minute_from and _ahead(limits.minute_from + MINUTE, now)
        if previous is None or not is_same_minute or minute_left > previous + MAX_CONCURRENT_CALLS:
            limits.minute_left, limits.minute_from = minute_left, now
        else:
            limits.minute_left = min(minute_left, previous)


def _succeed(limits: LimitStatus, writes: bool) -> None:
    limits.retries = min(RETRY_BUDGET, limits.retries + 1)
    if limits.denied and (writes or limits.denied == 403):  # after a 401, a read does not prove that writes are allowed
        limits.denied, limits.denied_to, limits.denied_at, limits.denied_until = 0, "", None, None
