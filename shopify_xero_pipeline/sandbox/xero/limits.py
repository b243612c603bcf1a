"""Xero's rate limits: fixed windows of a minute and a day, calls in flight, and their headers (B6)."""

from datetime import datetime

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.answers import Refused, Reply
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

MINUTE = 60  # seconds
DAY = 86_400  # seconds


class Limits:
    """The counters of one app's calls to one organisation. Refused calls (429) do not count, which is unverified.

    Args:
        clock: assigns each call to a window.
        options: the limits, read at every call.
        tenant_id: shifts the windows, which reset at different times for different organisations.
    """

    def __init__(self, clock: Clock, options: XeroOptions, tenant_id: str) -> None:
        self._clock = clock
        self._options = options
        self._shift = int(tenant_id[:4], 16)
        self._counts = {MINUTE: (0, 0), DAY: (0, 0)}
        self.in_flight = 0
        self.calls = 0

    def enter(self) -> None:
        """Count a call in, before its execution.

        Raises:
            Refused: 429 with an empty body; Retry-After for the minute and the day only.
        """
        now = self._clock.now()
        problem = self._problem(now)
        if problem:
            raise Refused(Reply(429, content_type="", headers=self._refusal(problem, now)))
        self.in_flight += 1
        self.calls += 1
        for length in self._counts:
            self._counts[length] = (self._window(length, now), self._used(length, now) + 1)

    def leave(self) -> None:
        """Count a call out, after its response."""
        self.in_flight -= 1

    def headers(self) -> dict[str, str]:
        """Return the remaining limits as headers of every response."""
        now = self._clock.now()
        remaining = {
            "X-DayLimit-Remaining": self._options.day_limit - self._used(DAY, now),
            "X-MinLimit-Remaining": self._options.minute_limit - self._used(MINUTE, now),
            "X-AppMinLimit-Remaining": self._options.app_minute_limit - self._used(MINUTE, now),
        }
        return {name: str(max(0, calls)) for name, calls in remaining.items()}

    def _problem(self, now: datetime) -> str:
        if self.in_flight >= self._options.concurrent_limit:
            return "concurrent"
        if self._used(MINUTE, now) >= self._options.app_minute_limit:
            return "appminute"
        if self._used(MINUTE, now) >= self._options.minute_limit:
            return "minute"
        return "day" if self._used(DAY, now) >= self._options.day_limit else ""

    def _refusal(self, problem: str, now: datetime) -> dict[str, str]:
        headers = {"X-Rate-Limit-Problem": problem, **self.headers()}
        length = {"minute": MINUTE, "day": DAY}.get(problem)
        if length:
            headers["Retry-After"] = str(length - int(now.timestamp() + self._shift) % length)
        return headers

    def _used(self, length: int, now: datetime) -> int:
        window, used = self._counts[length]
        return used if window == self._window(length, now) else 0

    def _window(self, length: int, now: datetime) -> int:
        return int(now.timestamp() + self._shift) // length
