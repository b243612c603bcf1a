"""Time limit of a run, enforced in its own process by an interrupt, then by the end of the process.

Dagster's daemon monitors only runs whose process it can reach. It cannot end the run of a command, it may not be
running, and it marks a run as failed while the process continues. This module only enforces the limit:
`run_monitoring.max_runtime_seconds` of Dagster sets it, and the journal recovers the writes of an interrupted run.
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
"""Time limit of a run without a limit in Dagster's settings."""

GRACE_SECONDS = 60.0
"""Time from the interrupt to the end of the process, and again from there to the limit. A run needs about a second to
end after the interrupt. At the limit the daemon would mark the run as failed without its cause."""


@dataclass
class TimeLimit:
    """The time limit of a run.

    Attributes:
        seconds: the longest duration.
        is_over: whether the run was interrupted at its limit.
    """

    seconds: float
    is_over: bool = False


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """Limit the duration of a block.

    Two minutes before the limit, the main thread is interrupted as by Ctrl-C. If the block continues, the process ends
    a minute later with status 1 and writes the stacks of its threads to standard error. The interpreter is not needed
    for this, so a process that hangs in compiled code ends, too. Time in which the machine sleeps does not count.

    Args:
        seconds: the limit; 0 selects the default. Outside the main thread, which cannot be interrupted, there is none.
    """
    limit = TimeLimit(seconds or DEFAULT_SECONDS)
    if threading.current_thread() is not threading.main_thread():
        yield limit
        return

    def interrupt() -> None:
        limit.is_over = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    grace = min(GRACE_SECONDS, limit.seconds / 4)  # at least half of a short limit remains for the run
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
