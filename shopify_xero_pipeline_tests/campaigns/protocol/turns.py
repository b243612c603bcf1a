"""Several processes on one timeline: one at a time goes on, until it waits or lets another one pass, as the seed says.

Each process is a thread, but only one of them ever runs: the baton is handed over where a process sleeps, calls or is
about to begin a transaction. Nothing of the protocol is known here.
"""

import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from shopify_xero_pipeline_tests.campaigns.protocol.timeline import Timeline


class _Turn:
    def __init__(self, job: Callable[[], None], now: datetime) -> None:
        self.job = job
        self.wake = now
        self.go = threading.Semaphore(0)
        self.over = False
        self.failure: BaseException | None = None


class Turns:
    """Runs jobs in turns.

    Args:
        timeline: whose time passes while all of them wait.
        rng: picks who goes on.
    """

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self._timeline = timeline
        self._rng = rng
        self._back = threading.Semaphore(0)
        self._running: _Turn | None = None

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run all jobs to their ends.

        Raises:
            BaseException: what the first job raised that failed.
        """
        turns = [_Turn(job, self._timeline.now()) for job in jobs]
        threads = [threading.Thread(target=self._live, args=(turn,), daemon=True) for turn in turns]
        for thread in threads:
            thread.start()
        while alive := [turn for turn in turns if not turn.over]:
            ready = [turn for turn in alive if turn.wake <= self._timeline.now()]
            if ready:
                self._let(self._rng.choice(ready))
            else:
                self._timeline.sleep((min(turn.wake for turn in alive) - self._timeline.now()).total_seconds())
        for turn in turns:
            if turn.failure is not None:
                raise turn.failure

    def rest(self, seconds: float) -> None:
        """Let the others go on for so many seconds; called by a job."""
        mine = self._running
        if mine is None:
            self._timeline.sleep(seconds)
            return
        mine.wake = self._timeline.now() + timedelta(seconds=max(seconds, 0))
        self._back.release()
        mine.go.acquire()

    def _let(self, turn: _Turn) -> None:
        self._running = turn
        turn.go.release()
        self._back.acquire()
        self._running = None

    def _live(self, turn: _Turn) -> None:
        turn.go.acquire()
        try:
            turn.job()
        except BaseException as failure:
            turn.failure = failure
        turn.over = True
        self._back.release()
