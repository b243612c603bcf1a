"""A run that hangs is ended by its own process, whatever it hangs in: first by an interrupt, then with the process.

Dagster's daemon looks after the runs whose process it can reach. It cannot end a run of a command, it may not be there
at all, and it marks a run as failed whose process goes on. Only the time limit belongs here; how long a run may take is
Dagster's `run_monitoring.max_runtime_seconds`, and what an interrupted run leaves behind is for the journal.
"""

import faulthandler
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shopify_xero_pipeline.observability import events

DEFAULT_SECONDS = 3_600
"""Of a run, where Dagster's settings name no limit."""

GRACE_SECONDS = 60.0
"""An interrupt leaves a run so long to end by itself; it needs a second, whatever it waits for. As long again passes
from the end of the process to the limit, at which the daemon would mark the run, and not know how it ended."""


@dataclass
class TimeLimit:
    """What a run may take; `is_over` once it was interrupted for that."""

    seconds: float
    is_over: bool = False


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """End the block when it has taken too long.

    Two minutes before, the main thread is interrupted as by Ctrl-C. If that does not help, the process ends a minute
    later with status 1, and the stacks of its threads are written to standard error. That does not need the
    interpreter, so it also ends a process that hangs in compiled code. Time in which the machine sleeps does not count.

    Args:
        seconds: of the block; 0 takes the default. In another thread than the main one, which cannot be interrupted,
            there is no limit.
    """
    limit = TimeLimit(seconds or DEFAULT_SECONDS)
    if threading.current_thread() is not threading.main_thread():
        yield limit
        return

    def interrupt() -> None:
        limit.is_over = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    grace = min(GRACE_SECONDS, limit.seconds / 4)
    timer = threading.Timer(limit.seconds - 2 * grace, interrupt)
    timer.daemon = True
    timer.start()
    faulthandler.dump_traceback_later(limit.seconds - grace, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield limit
    finally:
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()
        if limit.is_over:
            events.log_event("run_ended_for_its_time", level=logging.ERROR, seconds=round(limit.seconds))
