"""Requests in flight: drafts that do not depend on each other are sent side by side.

Xero accepts five requests at a time, and a request of 50 documents takes seconds. This module chooses the drafts that
may be in flight together and runs their jobs; `batch_writer.py` has the safety of each request, and the rate limiter
counts the requests of all processes.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent import futures
from contextvars import copy_context
from threading import Thread
from typing import Protocol, TypeVar

from shopify_xero_pipeline.loading.batch_requests import BatchDraft
from shopify_xero_pipeline.xero.rate_limiter import MAX_CONCURRENT_CALLS

T = TypeVar("T")


class Workers(Protocol):
    """Runs jobs side by side.

    Attributes:
        limit: the most jobs that run at a time.
    """

    limit: int

    def start(self, job: Callable[[], T]) -> futures.Future[T]:
        """Start a job; the future has its result or its exception."""
        ...

    def wait(self, started: Collection[futures.Future[T]]) -> None:
        """Wait until one of the jobs has ended."""
        ...


class OneAtATime:
    """Runs each job at once and alone, as an injected clock requires that only `sleep` advances."""

    limit = 1

    def start(self, job: Callable[[], T]) -> futures.Future[T]:
        """Run a job; an exception that is not an `Exception`, such as an interrupt, is raised."""
        future: futures.Future[T] = futures.Future()
        _run(future, job, Exception)
        return future

    def wait(self, started: Collection[futures.Future[T]]) -> None:
        """Return: a started job has ended."""


class Threads:
    """Runs each job in a thread of its own.

    The threads do not outlive the process: an interrupt ends it at once, as it ends a run without threads, and the next
    load reads back what was in flight.
    """

    limit = MAX_CONCURRENT_CALLS

    def start(self, job: Callable[[], T]) -> futures.Future[T]:
        """Start a job with the log fields of the caller."""
        future: futures.Future[T] = futures.Future()
        context = copy_context()
        Thread(target=lambda: context.run(_run, future, job, BaseException), name="request", daemon=True).start()
        return future

    def wait(self, started: Collection[futures.Future[T]]) -> None:
        """Wait until one of the jobs has ended."""
        futures.wait(started, return_when=futures.FIRST_COMPLETED)


def send_drafts(
    drafts: Iterable[BatchDraft],
    workers: Workers,
    *,
    prepare: Callable[[BatchDraft], Callable[[], T] | None],
    conclude: Callable[[BatchDraft, futures.Future[T]], Iterable[BatchDraft]],
) -> None:
    """Send drafts in their order, side by side as far as the workers and the orders of the drafts permit.

    Args:
        drafts: the drafts.
        workers: run the jobs.
        prepare: waits until a draft may leave and returns the job that sends it, or None to send it later.
        conclude: takes the result of a draft and returns the drafts to send next in its place. Like `prepare` it runs
            in the thread of the caller. After an exception of either, the jobs in flight end before it is raised.
    """
    queue, started = _DraftQueue(drafts), dict[futures.Future[T], BatchDraft]()

    def start_next() -> bool:
        draft = queue.take() if len(started) < workers.limit else None
        job = prepare(draft) if draft is not None else None
        if draft is not None and job is not None:
            started[workers.start(job)] = draft
        return job is not None

    try:
        while (has_started := start_next()) or started:
            if not has_started:
                workers.wait(started)
            for future in [future for future in started if future.done()]:
                draft = started.pop(future)
                queue.replace(draft, conclude(draft, future))
    except Exception:
        while pending := [future for future in started if not future.done()]:
            workers.wait(pending)
        raise


class _DraftQueue:
    """Drafts in their order, without those that another one in flight must precede.

    Records of one order are never in flight in two requests, because Xero may execute these in any order.
    """

    def __init__(self, drafts: Iterable[BatchDraft]) -> None:
        self._waiting = deque(drafts)
        self._busy: set[str] = set()

    def take(self) -> BatchDraft | None:
        """Remove and return the first draft that may be in flight now; None if there is none."""
        for draft in self._waiting:
            orders = _orders(draft)
            if not orders & self._busy:
                self._waiting.remove(draft)
                self._busy |= orders
                return draft
        return None

    def replace(self, draft: BatchDraft, drafts: Iterable[BatchDraft]) -> None:
        """Put drafts, or none, in the place of one that is no longer in flight."""
        self._busy -= _orders(draft)
        self._waiting.extendleft(reversed([*drafts]))


def _orders(draft: BatchDraft) -> set[str]:
    """Return the ids of the orders of a draft; a Contact and an Item belong to none."""
    return {write.operation.order_id for write in draft.writes if write.operation.order_id is not None}


def _run(future: futures.Future[T], job: Callable[[], T], expected: type[BaseException]) -> None:
    try:
        future.set_result(job())
    except expected as error:
        future.set_exception(error)
