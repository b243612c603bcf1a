"""Xero's limits: 60 calls in any rolling minute, the day's budget with a reserve, and what a 429 says.

The pacer only counts, waits and refuses; it sends nothing. What it knows of the day comes from the headers of the last
answer, never from a figure written here, because plans differ (Xero fact sheet 2).
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.xero.errors import DayBudgetSpent

CALLS_A_MINUTE = 60
MINUTE = timedelta(seconds=60)
SMALL_DAY, LARGE_DAY = 1_000, 5_000
RESERVED_SHARE = 10
FORGET_DAY_AFTER = timedelta(minutes=10)
LONGEST_WAIT = 120


class Pacer:
    """Holds calls back so that Xero never has to. One for each organisation and process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: deque[datetime] = deque()
        self._not_before: datetime | None = None
        self._day_left: int | None = None
        self._day_seen_at: datetime | None = None

    def wait(self, *, reserve: bool) -> None:
        """Wait until one more call may be made.

        Args:
            reserve: the call may use the reserve of the day's budget, which is kept for reading back.

        Raises:
            DayBudgetSpent: no call is left today, or only the reserve.
        """
        self._check_day(reserve)
        pause = self._pause()
        if pause > timedelta():
            self._clock.sleep(pause.total_seconds())

    def sent(self) -> None:
        """Count a call that leaves now."""
        self._sent.append(self._clock.now())

    def answered(self, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says of the limits."""
        now = self._clock.now()
        day, minute = headers.get("x-daylimit-remaining", ""), headers.get("x-minlimit-remaining", "")
        if day.isdigit():
            self._day_left, self._day_seen_at = int(day), now
        if minute == "0" and self._in_last_minute(now) < CALLS_A_MINUTE:
            self._not_before = now + MINUTE
        problem, pause = headers.get("x-rate-limit-problem"), retry_after(headers)
        if problem == "day" or (pause or 0) > LONGEST_WAIT:
            self._day_left, self._day_seen_at = 0, now
        elif pause is not None:
            self._not_before = now + timedelta(seconds=pause)

    def _check_day(self, reserve: bool) -> None:
        now = self._clock.now()
        if self._day_left is None or self._day_seen_at is None or now - self._day_seen_at > FORGET_DAY_AFTER:
            return
        day = SMALL_DAY if self._day_left <= SMALL_DAY else LARGE_DAY
        kept = 0 if reserve else day // RESERVED_SHARE
        if self._day_left <= kept:
            raise DayBudgetSpent(
                f"Xero allows {self._day_left} more calls today; {day // RESERVED_SHARE} are kept for reading back. "
                "What is left stays planned and is written once Xero's day has turned."
            )

    def _pause(self) -> timedelta:
        now = self._clock.now()
        waits = [timedelta()]
        if self._in_last_minute(now) >= CALLS_A_MINUTE:
            waits.append(self._sent[-CALLS_A_MINUTE] + MINUTE - now)
        if self._not_before is not None:
            waits.append(self._not_before - now)
        return max(waits)

    def _in_last_minute(self, now: datetime) -> int:
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        return len(self._sent)


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the seconds a 429 asks to wait, or None: only minute and day limits name them."""
    text = headers.get("retry-after", "")
    return int(text) if text.isdigit() else None
