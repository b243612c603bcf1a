"""Simulated time: one true clock that all share, what is due to happen at which instant, and what a process believes.

Only time belongs here. What is due (a request that arrives late, a person's change) is given in as a function; it runs
at its own instant, whoever lets the time pass.
"""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

FAR = 3 * 86_400
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


class HostClock:
    """The clock of one host: some days from the true time, running too fast or too slow, and set at any moment.

    Args:
        timeline: the true time.
        rng: draws all of that.
        foreign: whether it differs from the true time at all.
    """

    def __init__(self, timeline: Timeline, rng: random.Random, *, foreign: bool) -> None:
        self._timeline = timeline
        self._rng = rng
        self.is_foreign = foreign
        self._drift = rng.choice((0.0, 0.0, 0.0005, -0.0005, 0.02, -0.02)) if foreign else 0.0
        self._set_at, self._set_to = 0.0, timedelta()
        if foreign:
            self.set_anew()

    def set_anew(self) -> None:
        """Put it anywhere within three days of the true time, often just ahead or behind."""
        near = self._rng.random() < 0.4
        seconds = (
            self._rng.choice((-3700, -700, -130, -20, 20, 130, 700, 3700)) if near else self._rng.uniform(-FAR, FAR)
        )
        self._set_at, self._set_to = self._timeline.elapsed(), timedelta(seconds=seconds)

    @property
    def ahead(self) -> timedelta:
        """By how much it is ahead of the true time."""
        return self._set_to + timedelta(seconds=self._drift * (self._timeline.elapsed() - self._set_at))


class ProcessClock:
    """A process's own clock: its host's; sleeping is the scheduler's, and the seconds it counts are true."""

    def __init__(self, timeline: Timeline, sleep: Callable[[float], None], host: HostClock) -> None:
        self._timeline = timeline
        self._sleep = sleep
        self._host = host

    def now(self) -> datetime:
        """Return the instant this process believes it is."""
        return self._timeline.now() + self._host.ahead

    def elapsed(self) -> float:
        """Return the seconds since the beginning; nobody can set them."""
        return self._timeline.elapsed()

    def sleep(self, seconds: float) -> None:
        """Let true time pass."""
        self._sleep(seconds)
