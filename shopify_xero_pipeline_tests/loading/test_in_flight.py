"""Requests side by side: which drafts are in flight together, and what happens to them when one of them fails."""

import random
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import closing
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import Barrier, Event, Lock
from typing import Any, TypeVar

import httpx
import pytest

from shopify_xero_pipeline.loading.batch_requests import BatchDraft, JournalledWrite
from shopify_xero_pipeline.loading.in_flight import OneAtATime, Threads, send_drafts
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.state.records import Operation, OperationState
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.records import DAY, contact
from shopify_xero_pipeline_tests.support.world import CREDENTIALS, World, change_set, counted

T = TypeVar("T")
NOW = datetime(2026, 9, 22, tzinfo=UTC)
COLOUR: ContextVar[str] = ContextVar("colour", default="none")


class Held:
    """Workers whose jobs end when the test says so, in the order in which it says so."""

    limit = 3

    def __init__(self, *order: str) -> None:
        self.order = list(order)
        self.jobs: dict[str, tuple[Future[Any], Callable[[], Any]]] = {}
        self.log: list[str] = []

    def start(self, job: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        name = job.__doc__ or ""
        self.jobs[name] = (future, job)
        self.log.append(f"+{name}")
        return future

    def wait(self, started: Collection[Future[T]]) -> None:
        assert started
        name = self.order.pop(0)
        future, job = self.jobs.pop(name)
        self.log.append(f"-{name}")
        try:
            future.set_result(job())
        except ValueError as error:
            future.set_exception(error)


def draft(name: str, *orders: str | None) -> BatchDraft:
    def write(order: str | None) -> JournalledWrite:
        operation = Operation(
            id=1,
            kind="payment",
            shopify_id="1",
            natural_key="",
            verb="create",
            checksum="",
            payload="",
            order_id=order,
            partition=DAY,
            run_id="run",
            state=OperationState.PLANNED,
            created_at=NOW,
            updated_at=NOW,
        )
        return JournalledWrite(operation, contact())

    return BatchDraft(Kind.PAYMENT, "PUT", name, tuple(write(order) for order in orders), b"")


def job_of(one: BatchDraft) -> Callable[[], str]:
    def job() -> str:
        if one.path == "fails":
            raise ValueError(one.path)
        return one.path

    job.__doc__ = one.path
    return job


def send(held: Held, *drafts: BatchDraft, into: dict[str, list[BatchDraft]] | None = None) -> list[str]:
    send_drafts(
        drafts,
        held,
        prepare=job_of,
        conclude=lambda _one, future: (into or {}).pop(future.result(), []),
    )
    return held.log


def test_as_many_drafts_as_the_limit_are_in_flight_and_the_next_starts_when_one_has_ended() -> None:
    held = Held("b", "a", "c", "d")
    assert send(held, *(draft(name, name) for name in "abcd")) == ["+a", "+b", "+c", "-b", "+d", "-a", "-c", "-d"]


def test_a_draft_with_an_order_in_flight_waits_and_others_overtake_it() -> None:
    held = Held("c", "a", "b")
    log = send(held, draft("a", "1001", "1002"), draft("b", "1002", "1003"), draft("c", "1004"))
    assert log == ["+a", "+c", "-c", "-a", "+b", "-b"]


def test_records_without_an_order_never_wait_for_each_other() -> None:
    held = Held("a", "b")
    assert send(held, draft("a", None), draft("b", None))[:2] == ["+a", "+b"]


def test_the_parts_of_a_split_draft_take_its_place_before_the_drafts_behind_it() -> None:
    held = Held("a", "first", "second", "b")
    held.limit = 1
    parts = [draft("first", "1001"), draft("second", "1002")]
    log = send(held, draft("a", "1001", "1002"), draft("b", "1003"), into={"a": parts})
    assert log == ["+a", "-a", "+first", "-first", "+second", "-second", "+b", "-b"]


def test_a_failure_is_raised_after_the_others_have_ended_and_nothing_more_is_started() -> None:
    held = Held("fails", "a", "b")
    with pytest.raises(ValueError, match="fails"):
        send(held, draft("a", "1"), draft("fails", "2"), draft("b", "3"), draft("c", "4"))
    assert held.log == ["+a", "+fails", "+b", "-fails", "-a", "-b"]


def test_a_draft_that_may_not_leave_is_not_started_and_the_sending_ends() -> None:
    held = Held("a")
    send_drafts(
        [draft("a", "1"), draft("b", "2")],
        held,
        prepare=lambda one: job_of(one) if one.path == "a" else None,
        conclude=lambda _one, _future: [],
    )
    assert held.log == ["+a", "-a"]


def test_threads_run_their_jobs_at_the_same_time_with_the_log_fields_of_the_caller() -> None:
    workers, together = Threads(), Barrier(Threads.limit, timeout=30)
    COLOUR.set("blue")

    def job() -> str:
        together.wait()
        return COLOUR.get()

    started = [workers.start(job) for _ in range(Threads.limit)]
    assert [future.result(timeout=30) for future in started] == ["blue"] * 5


def test_waiting_for_threads_ends_with_the_first_of_them() -> None:
    workers, go_on = Threads(), Event()
    slow, quick = workers.start(go_on.wait), workers.start(lambda: True)
    workers.wait([slow, quick])
    assert (quick.done(), slow.done()) == (True, False)
    go_on.set()


def test_a_thread_passes_on_every_exception_and_one_at_a_time_only_the_expected_ones() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    future = Threads().start(interrupted)
    with pytest.raises(KeyboardInterrupt):
        future.result(timeout=30)
    with pytest.raises(KeyboardInterrupt):
        OneAtATime().start(interrupted)


class Meeting(httpx.BaseTransport):
    """A transport that holds each write until five of them are in flight."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._all_there = Barrier(5, timeout=60)
        self._one_at_a_time = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            self._all_there.wait()
        with self._one_at_a_time:  # the sandbox itself executes one request after the other
            return self._inner.handle_request(request)


def test_five_requests_are_in_flight_at_a_time_and_each_record_is_created_once(world: World) -> None:
    world.load(contact(0))
    people = [contact(number) for number in range(1, 501)]
    rng = random.Random(1)
    transport = Meeting(world.transport)
    with closing(
        XeroClient(CREDENTIALS, clock=world.clock, transport=transport, rng=rng, calls=world.store.calls)
    ) as client:
        loader = Loader(client, world.store, world.clock, rng, Threads())
        report = loader.load([change_set(*people)], "run")

    assert counted(report) == {"created": 500}
    assert len(world.live(Kind.CONTACT)) == 501
    assert {batch.state for batch in world.store.journal.unsettled()} == set()
    assert report.calls == 1 + 10, "Xero's time, and each request, whichever thread sends it"
