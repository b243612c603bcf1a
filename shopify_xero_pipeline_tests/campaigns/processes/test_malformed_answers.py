"""Malformed responses over a real socket: bounded in memory and time, and never a confirmation."""

import gc
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.records import BatchState, OperationState
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.campaigns.processes.spoiling import MEGABYTE, Spoil, Spoiler, gzipped, head, spoiling
from shopify_xero_pipeline_tests.support.records import everything
from shopify_xero_pipeline_tests.support.world import World, change_set

pytestmark = pytest.mark.campaign

PATHS = {Kind.CONTACT: "/Contacts", Kind.INVOICE: "/Invoices", Kind.ALLOCATION: "/Allocations"}
ZEROS = b"0" * MEGABYTE
MOST_MEMORY = 200 * MEGABYTE


class Restless(ManualClock):
    """A clock that moves on by a second at each reading."""

    def now(self) -> datetime:
        self.sleep(1)
        return super().now()

    def elapsed(self) -> float:
        self.sleep(1)
        return super().elapsed()


class OverASocket(World):
    """A loader with the sandbox's Xero over a real socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._serving = spoiling(self.transport)
        self.spoiler, self.transport = self._serving.__enter__()
        self.restart()

    def close(self) -> None:
        self.client.close()
        self._serving.__exit__(None, None, None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[OverASocket]:
    world = OverASocket(tmp_path)
    yield world
    world.close()


def a_page(write: Any) -> None:
    page = b"<html><title>One moment</title><body>Please wait.</body></html>"
    write(head(len(page), "text/html") + page)


def a_hundred_megabytes(write: Any) -> None:
    write(head(100 * MEGABYTE) + b'{"Payments": [{"PaymentID": "')
    for _ in range(100):
        write(ZEROS)


@cache
def bomb(layers: int) -> bytes:
    """Return hundreds of megabytes in kilobytes; with two layers they arrive in one piece."""
    whole = gzipped(*[ZEROS] * 300)
    return whole if layers == 1 else gzipped(whole)


def a_gzip_bomb(write: Any) -> None:
    write(head(len(bomb(1)), "application/json", "Content-Encoding: gzip") + bomb(1))


def a_gzip_bomb_in_a_gzip_bomb(write: Any) -> None:
    write(head(len(bomb(2)), "application/json", "Content-Encoding: gzip, gzip") + bomb(2))


def a_broken_gzip(write: Any) -> None:
    write(head(9, "application/json", "Content-Encoding: gzip") + b"\x1f\x8b\x08garbage"[:9])


def endless_headers(write: Any) -> None:
    write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        write(f"X-{number}: {'0' * 1_000}\r\n".encode())


def half_an_answer(write: Any) -> None:
    write(head(1_000) + b'{"Payments": [')


def not_http(write: Any) -> None:
    write(b"220 mail.example.com ESMTP\r\n")


def nothing(_write: Any) -> None:
    """Close the connection without a response."""


HUGE = (a_hundred_megabytes, a_gzip_bomb, a_gzip_bomb_in_a_gzip_bomb, endless_headers)
WRONG = (a_page, a_broken_gzip, half_an_answer, not_http, nothing)


def load_with_spoilt_answers(world: OverASocket, kind: Kind, spoil: Spoil) -> list[AnyRecord]:
    """Load one kind with every response spoilt after its posting; return all records."""
    records = everything()
    earlier = list(Kind)[: list(Kind).index(kind)]
    world.load(*[record for record in records if record.kind in earlier])

    def spoil_slowly(write: Any) -> None:
        world.wait(25)  # limits the replays of the same bytes
        spoil(write)

    world.spoiler.path, world.spoiler.spoil = PATHS.get(kind, "/Payments"), spoil_slowly
    world.loader.load([change_set(*[record for record in records if record.kind is kind])], "run")
    return records


def assert_in_doubt(world: OverASocket, kind: Kind, spoiler: Spoiler) -> None:
    """Assert that Xero posted everything, and that the journal has no outcome."""
    assert spoiler.spoilt > 0
    batches = world.store.journal.unsettled()
    assert batches
    assert {batch.state for batch in batches} == {BatchState.AMBIGUOUS}
    waiting = [
        operation for operation in world.store.journal.in_state(OperationState.IN_BATCH) if operation.kind == kind
    ]
    assert len(waiting) == len(world.live(kind)) > 0
    assert world.store.mapped(kind) == {}


def assert_exactly_once_in_the_end(world: OverASocket, records: list[AnyRecord]) -> None:
    world.spoiler.spoil = None
    world.wait(700)
    world.load(*records)
    for kind in Kind:
        wanted = {record.shopify_id for record in records if record.kind is kind}
        assert len(world.live(kind)) == len(wanted), kind
        assert set(world.store.mapped(kind)) == wanted, kind
    assert world.store.unfinished_days() == set()


@pytest.mark.long
@pytest.mark.parametrize("spoil", HUGE)
def test_a_huge_answer_is_left_in_bounded_memory_and_leaves_doubt(world: OverASocket, spoil: Spoil) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        records = load_with_spoilt_answers(world, Kind.PAYMENT, spoil)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < MOST_MEMORY
    assert_in_doubt(world, Kind.PAYMENT, world.spoiler)
    assert_exactly_once_in_the_end(world, records)


@pytest.mark.parametrize("spoil", WRONG)
def test_an_answer_that_is_none_leaves_doubt_and_is_settled_by_reading_back(world: OverASocket, spoil: Spoil) -> None:
    records = load_with_spoilt_answers(world, Kind.PAYMENT, spoil)
    assert_in_doubt(world, Kind.PAYMENT, world.spoiler)
    assert_exactly_once_in_the_end(world, records)


@pytest.mark.parametrize("kind", PATHS)
def test_a_page_instead_of_an_answer_to_any_kind_of_write_is_no_confirmation(world: OverASocket, kind: Kind) -> None:
    records = load_with_spoilt_answers(world, kind, a_page)
    assert_in_doubt(world, kind, world.spoiler)
    assert_exactly_once_in_the_end(world, records)


def test_an_answer_that_drips_is_left_when_its_time_is_over(world: OverASocket) -> None:
    dripped = []

    def a_drip(write: Any) -> None:
        write(head(100_000))
        for number in range(100_000):
            write(b"0")
            dripped.append(number)

    world.clock = Restless(world.clock.now())
    world.restart()
    records = load_with_spoilt_answers(world, Kind.PAYMENT, a_drip)

    assert_in_doubt(world, Kind.PAYMENT, world.spoiler)
    assert_exactly_once_in_the_end(world, records)
