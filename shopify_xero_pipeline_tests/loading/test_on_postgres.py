"""The loader with its store in Postgres: what dies, is lost or is cut off there leads to exactly one record as well.

How the loader behaves is proved on SQLite; here it is shown that nothing of it rests on SQLite's ways.
"""

import gc
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from shopify_xero_pipeline.loading.load_report import LoadReport
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.state.database_errors import StoreUnreachableError
from shopify_xero_pipeline_tests.loading.test_crashes import crash, recover_and_finish
from shopify_xero_pipeline_tests.loading.test_faults import assert_exactly_once, until_settled
from shopify_xero_pipeline_tests.loading.test_loader import at_each_write
from shopify_xero_pipeline_tests.support.postgres import Server
from shopify_xero_pipeline_tests.support.records import everything
from shopify_xero_pipeline_tests.support.world import World, counted

# A process that dies closes nothing; what a simulated one leaves open is closed by the collector, which says so.
pytestmark = [
    pytest.mark.campaign,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class PostgresWorld(World):
    """A loader whose store is a schema of its own in a Postgres database."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        super().__init__(folder)
        self.url = server.new_schema()
        self.restart()

    def restart(self) -> None:
        """A new process; the connections of the one before died with it."""
        if hasattr(self, "store"):
            self.store.close()
        super().restart()


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def world(postgres: Server, tmp_path: Path) -> Iterator[PostgresWorld]:
    world = PostgresWorld(postgres, tmp_path)
    yield world
    world.store.close()


def end_session_at_commit(world: PostgresWorld, at: int) -> None:
    """The server ends the session of the n-th transaction just before it is committed, as when it is restarted."""
    passed = count(1)

    def end(connection: Connection) -> None:
        if next(passed) == at:
            session = connection.scalar(text("SELECT pg_backend_pid()"))
            world.server.run(f"SELECT pg_terminate_backend({session}, 10000)")

    event.listen(world.store._engine, "commit", end)


def test_a_load_posts_everything_once_and_a_second_one_calls_nobody(world: PostgresWorld) -> None:
    assert counted(world.load(*everything(3))) == {"created": len(everything(3))}
    assert_exactly_once(world, everything(3))


@pytest.mark.parametrize("path", ["/Contacts", "/Items", "/Invoices", "/Payments", "/Allocations"])
def test_an_answer_that_is_lost_after_it_was_booked_counts_once(world: PostgresWorld, path: str) -> None:
    fault = world.fault(FaultKind.DROP_AFTER, path=path, method="PUT", times=1)
    until_settled(world, everything(2))
    assert fault.fired == 1
    assert_exactly_once(world, everything(2))


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.SERVER_ERROR_AFTER_COMMIT])
def test_an_error_of_the_server_is_read_back_before_anything_is_sent_again(
    world: PostgresWorld, kind: FaultKind
) -> None:
    fault = world.fault(kind, path="/Payments", method="PUT", times=1)
    until_settled(world, everything())
    assert fault.fired == 1
    assert_exactly_once(world, everything())


@pytest.mark.long
@pytest.mark.parametrize("point", ["before call", "after call", "begin", "commit"])
def test_a_crash_at_any_point_leads_to_exactly_one_record(postgres: Server, tmp_path: Path, point: str) -> None:
    delays = (1, 100, 150, 400, 3600)
    stride = 3 if "call" in point else 20
    for at in count(1, stride):
        world = PostgresWorld(postgres, tmp_path)
        if not crash(world, point, at):
            assert at > 5
            return
        recover_and_finish(world, delays[at % len(delays)])


@pytest.mark.long
def test_a_server_that_goes_away_at_any_commit_costs_that_run_and_nothing_else(
    postgres: Server, tmp_path: Path
) -> None:
    for at in count(1, 20):
        world = PostgresWorld(postgres, tmp_path)
        end_session_at_commit(world, at)
        try:
            world.load(*everything())
        except StoreUnreachableError:
            recover_and_finish(world, 150)
        else:
            assert at > 20
            return


def test_two_processes_that_load_the_same_days_at_once_write_each_record_once(world: PostgresWorld) -> None:
    beside: list[LoadReport] = []

    def load_beside() -> None:
        world.restart()
        beside.append(world.load(*everything()))

    at_each_write(world, load_beside)
    world.load(*everything())

    assert_exactly_once(world, everything())
    assert len(beside) > 1
