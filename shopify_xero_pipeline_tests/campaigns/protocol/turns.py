"""Jobs on one timeline: one at a time goes on, until it waits or lets another one pass, as the seed says.

A job is a process, or a request of one. Each is a coroutine of its own (a greenlet), so that only one ever runs and the
operating system can copy them all; control changes where a job sleeps, calls or is about to begin a transaction.
Nothing of the protocol is known here.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet

from shopify_xero_pipeline_tests.campaigns.protocol.timeline import Timeline


class Turn:
    """One job.

    Attributes:
        over: whether it has ended.
        failure: what it raised.
    """

    def __init__(self, job: Callable[[], None], lives: Callable[[], None], now: datetime, parent: greenlet) -> None:
        self.over = False
        self.lives = lives
        self.failure: BaseException | None = None
        self.goes_on: Callable[[], bool] = lambda: True
        self.wake: datetime | None = now
        self.line = greenlet(lambda: self._live(job), parent)

    def _live(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as failure:
            self.failure = failure
        self.over = True


class Turns:
    """Runs jobs in turns. Who is no job, the play itself, waits as a job does.

    Args:
        timeline: whose time passes while all of them wait.
        rng: picks who goes on.
    """

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self._timeline = timeline
        self._rng = rng
        self._play = getcurrent()
        self._jobs: list[Turn] = []
        self._running: Turn | None = None

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run all jobs to their ends.

        Raises:
            BaseException: what the first job raised that failed.
        """
        turns = [self.start(job) for job in jobs]
        self.wait(lambda: all(turn.over for turn in turns))
        for turn in turns:
            if turn.failure is not None:
                raise turn.failure

    def start(self, job: Callable[[], None], lives: Callable[[], None] = lambda: None) -> Turn:
        """Start a job, which goes on when its turn comes; `lives` raises in it if it is to end instead."""
        self._jobs.append(Turn(job, lives, self._timeline.now(), self._play))
        return self._jobs[-1]

    def rest(self, seconds: float) -> None:
        """Let the others go on for so many seconds."""
        wake = self._timeline.now() + timedelta(seconds=max(seconds, 0))
        self.wait(lambda: self._timeline.now() >= wake, wake)

    def wait(self, goes_on: Callable[[], bool], wake: datetime | None = None) -> None:
        """Let the others go on until something is so.

        Args:
            goes_on: whether it is so.
            wake: when it will be so by itself; None if only the others can bring it about.
        """
        mine = self._running
        if mine is None:
            self._let_others(goes_on, wake)
            return
        mine.goes_on, mine.wake = goes_on, wake
        self._play.switch()
        mine.lives()

    def _let_others(self, goes_on: Callable[[], bool], wake: datetime | None) -> None:
        while True:
            self._jobs = [turn for turn in self._jobs if not turn.over]
            ready: list[Turn | None] = [turn for turn in self._jobs if turn.goes_on()]
            if goes_on():
                ready.append(None)
            if not ready:
                self._pass_time(wake)
                continue
            chosen = self._rng.choice(ready)
            if chosen is None:
                return
            self._running = chosen
            chosen.line.switch()
            self._running = None

    def _pass_time(self, wake: datetime | None) -> None:
        times = [at for at in (wake, *(turn.wake for turn in self._jobs)) if at is not None]
        assert times, "all of them wait for each other"
        self._timeline.sleep((min(times) - self._timeline.now()).total_seconds())
