"""Simulated time: one true clock that all share, what is due to happen at which instant, and what a process believes.

Only time belongs here. What is due (a request that arrives late, a person's change) is given in as a function; it runs
at its own instant, whoever lets the time pass.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 9, 22, 0, 0, tzinfo=UTC)


class Timeline:
    """The true time, which is also Xero's."""

    def __init__(self) -> None:
        self._now = START
        self._due: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()

    def now(self) -> datetime:
        """Return the true instant."""
        return self._now

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return (self._now - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Let time pass; what is due in it happens at its own instant."""
        end = self._now + timedelta(seconds=max(seconds, 0))
        while self._due and self._due[0][0] <= end:
            self._now, _, act = heapq.heappop(self._due)
            act()
        self._now = end

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen so many seconds from now."""
        heapq.heappush(self._due, (self._now + timedelta(seconds=seconds), next(self._order), act))

    @property
    def under_way(self) -> int:
        """How much is still to happen."""
        return len(self._due)


class ProcessClock:
    """A process's own clock: the true time, put forward or back by whoever set it; sleeping is the scheduler's."""

    def __init__(self, timeline: Timeline, sleep: Callable[[float], None]) -> None:
        self._timeline = timeline
        self._sleep = sleep
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Return the instant this process believes it is."""
        return self._timeline.now() + self.ahead

    def elapsed(self) -> float:
        """Return the seconds since the beginning; nobody can set them."""
        return self._timeline.elapsed()

    def sleep(self, seconds: float) -> None:
        """Let true time pass."""
        self._sleep(seconds)
