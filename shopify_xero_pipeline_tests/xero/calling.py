"""A process that makes calls at Xero's limits, on a clock fifteen times as fast, and writes down when."""

import os
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

from sqlalchemy import Engine

from shopify_xero_pipeline.state.api_calls import SharedCalls
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.xero.rate_limiter import RateLimiter

BEGINNING = datetime(2026, 9, 22, tzinfo=UTC)
FASTER = 15
LONG = 100.0
AT_ONCE, AT_LEAST = 3, 8


class FasterClock:
    """The machine's clock, faster; the same for all processes of a machine."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=time.monotonic() * FASTER)

    def elapsed(self) -> float:
        return (time.monotonic() - self._began) * FASTER

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / FASTER)


def keep_calling(url: str, ready: Barrier, log: Path, seed: int, dies_at: int | None) -> None:
    """Make calls for some minutes, three at once, each with a line of when it began, came to Xero and ended."""
    database = open_database(url)
    ready.wait(60)
    clock = FasterClock()
    threads = [
        threading.Thread(target=_call, args=(database.engine, clock, log / f"{seed}-{n}", seed * 10 + n, dies_at))
        for n in range(AT_ONCE)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    database.engine.dispose()


def _call(engine: Engine, clock: FasterClock, log: Path, seed: int, dies_at: int | None) -> None:
    """Make calls; in one of them the process dies."""
    rng, made = random.Random(seed), 0
    pacer = RateLimiter(SharedCalls(engine, clock), clock, rng)
    with log.open("w", buffering=1) as lines:

        def note(end: str) -> None:
            lines.write(f"{time.monotonic() * FASTER}{end}")

        while dies_at or made < AT_LEAST or clock.elapsed() < LONG:
            call = pacer.acquire(writes=False, reserve=True)
            note(" ")
            clock.sleep(rng.uniform(0.1, 0.5))
            note(" ")
            made += 1
            if made == dies_at:
                lines.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            clock.sleep(rng.uniform(0.1, 0.5))
            note("\n")
            pacer.record_response(call, 200, {}, writes=False)
