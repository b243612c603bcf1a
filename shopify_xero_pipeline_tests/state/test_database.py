"""Tests of the database: URLs, durable commits, exclusive transactions and process locks."""

import multiprocessing
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import database as opening
from shopify_xero_pipeline.state.database import Database, LockTimeoutError, open_database
from shopify_xero_pipeline.state.database_errors import (
    StoreBusyError,
    StoreUnreachableError,
    StoreUnwritableError,
    StoreUrlError,
)
from shopify_xero_pipeline.state.journal import JournalOrderError
from shopify_xero_pipeline.state.records import BatchRequest, MirrorRecord, OperationState, PlannedWrite
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.watermark_file import SUFFIX
from shopify_xero_pipeline_tests.support.postgres import Server

NOW = datetime(2026, 9, 22, tzinfo=UTC)
THREADS = 6


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def write(number: int) -> PlannedWrite:
    given = {"kind": "item", "shopify_id": str(number), "natural_key": f"SKU-{number}", "payload": "{}"}
    known = {"partition": date(2026, 9, 21), "run_id": "run", "verb": "create", "checksum": "c"}
    return PlannedWrite.model_validate(given | known)


def mirrored(number: int) -> MirrorRecord:
    given = {"kind": "item", "xero_id": str(number), "natural_key": "", "reference": "", "status": "", "payload": "{}"}
    return MirrorRecord.model_validate(given | {"updated_at": NOW})


def at_once(step: Callable[[int], object]) -> list[BaseException]:
    """Take a step in several threads at the same moment and return what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(THREADS)

    def take(number: int) -> None:
        start.wait()
        try:
            step(number)
        except Exception as problem:
            raised.append(problem)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


# -- the URL -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/d",
        "postgres://u:secret@h/d",
        "postgresql+asyncpg://u:secret@h/d",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h:port/d",
        "sqlite://",
        "sqlite:///:memory:",
        "state.db",
        "",
    ],
)
def test_only_an_sqlite_file_and_a_postgres_database_are_accepted(url: str) -> None:
    with pytest.raises(StoreUrlError, match="must be an SQLite file or a Postgres database: set STATE_URL") as raised:
        open_database(url)
    assert "secret" not in str(raised.value)


def test_no_part_of_a_password_is_repeated_when_it_is_not_written_as_a_url_wants_it() -> None:
    with pytest.raises(StoreUrlError, match="write it as %40") as raised:
        open_database("postgresql://u:first@second@127.0.0.1:1/d")
    assert not {"first", "second"} & set(str(raised.value).replace("@", " ").replace(":", " ").split())


@pytest.mark.parametrize("query", ["", "?password=secret", "?passwrd=secret", "?connect_timeout=secret"])
def test_a_server_that_cannot_be_used_is_named_without_its_password(query: str) -> None:
    with pytest.raises(StoreUrlError, match=r"names postgresql://me:\*\*\*@127\.0\.0\.1:1/d, which cannot") as raised:
        open_database(f"postgresql://me:secret@127.0.0.1:1/d{query}")
    assert raised.value.__suppress_context__
    assert "\n" not in str(raised.value)
    if "timeout" not in query:
        assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all, only words" * 40)
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder"):
        with pytest.raises(StoreUrlError, match=f"STATE_URL names .*{name}, which cannot be used as a state store"):
            open_database(f"sqlite:///{tmp_path / name}")


def test_a_postgres_database_that_cannot_hold_every_name_is_refused(postgres: Server) -> None:
    database = postgres.new_database("ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(StoreUrlError, match="its encoding is LATIN1, and customers' names need UTF8"):
        open_database(postgres.url(database))


def test_a_postgres_user_who_may_not_create_tables_is_told_so_before_anything_is_tried(postgres: Server) -> None:
    url = postgres.new_schema()
    schema = url.rpartition("%3D")[2]
    postgres.run(f"CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA {schema} TO guest", postgres.shared)
    with pytest.raises(StoreUrlError, match=rf"its user may not create tables in the schema {schema}\.$"):
        open_database(url.replace("postgres@", "guest@", 1))
    with pytest.raises(StoreUrlError, match="its user may not create tables in the schema it looks in"):
        open_database(f"{url}_that_nobody_made")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_both_spellings_of_a_postgres_url_open_the_same_store(
    postgres: Server, clock: ManualClock, scheme: str
) -> None:
    url = postgres.new_schema()
    with closing(StateStore(url, clock)) as store:
        store.put_value("name", "text")
    with closing(StateStore(url.replace("postgresql", scheme, 1), clock)) as again:
        assert again.get_value("name") == ("text", NOW)
        assert "host" not in again.name


# -- durable, private, plain -------------------------------------------------------------------------------------------


def test_an_sqlite_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.db"
    database = open_database(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with database.lock("renewal", 0):
        assert stat.S_IMODE(path.with_name("state.db.renewal.lock").stat().st_mode) == 0o600


def test_every_commit_to_sqlite_reaches_the_disk_and_every_transaction_may_write(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with open_database(f"sqlite:///{path}").engine.begin() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "delete"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        second = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")
        second.close()


def test_an_sqlite_store_that_a_suspended_process_keeps_is_busy_and_not_damaged(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT", 0)
    url, path = f"sqlite:///{tmp_path}/state.db", tmp_path / "state.db"
    with closing(StateStore(url, clock)) as store, closing(sqlite3.connect(path, isolation_level=None)) as suspended:
        path.with_name(f"{path.name}{SUFFIX}").touch()  # something was sent by it
        suspended.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="is locked by another process"):
            store.put_value("name", "text")
        with pytest.raises(StoreBusyError, match="resume or end it; then run again"):
            StateStore(url, clock)
        suspended.execute("ROLLBACK")
        store.put_value("name", "text")


def test_a_postgres_store_that_a_suspended_process_keeps_is_busy(
    postgres: Server, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(opening.SESSION, "lock_timeout", "1ms")
    url = postgres.new_schema()
    with closing(StateStore(url, clock)) as store, closing(StateStore(url, clock)) as suspended:
        with suspended._engine.begin(), pytest.raises(StoreBusyError, match="is locked by another process"):
            store.put_value("name", "text")
        store.put_value("name", "text")


def test_a_session_on_postgres_is_as_safe_as_the_store_needs_whatever_the_database_is_set_to(postgres: Server) -> None:
    database = postgres.new_database()
    for setting in ("synchronous_commit = off", "default_transaction_isolation = 'serializable'", "lock_timeout = 0"):
        postgres.run(f"ALTER DATABASE {database} SET {setting}")
    engine = open_database(postgres.url(database, options="-cwork_mem%3D5MB")).engine
    with engine.begin() as connection:
        wanted = {
            "synchronous_commit": "on",
            "transaction_isolation": "read committed",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "1min",
            "idle_session_timeout": "0",
            "work_mem": "5MB",
        }
        assert {name: connection.scalar(text(f"SHOW {name}")) for name in wanted} == wanted
    engine.dispose()


def test_the_tables_are_plain_to_read(store: StateStore) -> None:
    store.update_mirror("item", [mirrored(1)], NOW)
    with store._engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT xero_id, updated_at, payload FROM xero_mirror").all()
    assert [tuple(row) for row in rows] == [("1", "2026-09-22T00:00:00.000000Z", "{}")]


# -- alone in a transaction --------------------------------------------------------------------------------------------


def test_the_same_plan_made_at_once_enters_each_record_once(store: StateStore) -> None:
    assert at_once(lambda _: store.journal.plan([write(number) for number in range(20)])) == []
    planned = store.journal.in_state(OperationState.PLANNED)
    assert sorted(one.shopify_id for one in planned) == sorted(str(number) for number in range(20))


def test_of_several_requests_made_at_once_for_the_same_records_one_gets_them(store: StateStore) -> None:
    store.journal.plan([write(1), write(2)])
    planned = store.journal.in_state(OperationState.PLANNED)

    def intend(number: int) -> None:
        request = BatchRequest(kind="item", method="PUT", path="/Items", body=b"{}", idempotency_key=f"key {number}")
        store.journal.intend(request, planned if number % 2 else planned[::-1])

    assert [type(problem) for problem in at_once(intend)] == [JournalOrderError] * (THREADS - 1)
    (batch,) = store.journal.unsettled()
    assert [one.attempts for one in store.journal.operations_of(batch.id)] == [1, 1]


def test_sweeps_and_texts_written_at_once_take_each_others_place(store: StateStore) -> None:
    def sweep(number: int) -> None:
        shown = [mirrored(one) for one in range(number, 30)]
        store.update_mirror("item", shown if number % 2 else shown[::-1], NOW, gone_before=NOW)
        store.put_value("name", "text")

    assert at_once(sweep) == []
    kept = [int(row.xero_id) for row in store.mirror("item")]
    assert sorted(kept) == list(range(min(kept), 30))
    assert store.get_value("name") == ("text", NOW)


def test_a_session_that_is_ended_before_its_commit_leaves_nothing_and_the_next_one_works(
    postgres: Server, clock: ManualClock
) -> None:
    with closing(StateStore(postgres.new_schema(), clock)) as store:
        _end_a_session(postgres, store)


def _end_a_session(postgres: Server, store: StateStore) -> None:
    def end(connection: Connection) -> None:
        session = connection.scalar(text("SELECT pg_backend_pid()"))
        assert postgres.run(f"SELECT pg_terminate_backend({session}, 10000)") == [(True,)]

    event.listen(store._engine, "commit", end)
    with pytest.raises(StoreUnreachableError, match="Start its server or wait for it"):
        store.put_value("half", "text")
    event.remove(store._engine, "commit", end)
    assert store.get_value("half") is None
    store.put_value("whole", "text")
    assert store.get_value("whole") == ("text", NOW)


# -- one at a time outside a transaction -------------------------------------------------------------------------------


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.engine.dispose()


def is_free(database: Database, purpose: str, wait: int = 0) -> bool:
    try:
        with database.lock(purpose, wait):
            return True
    except LockTimeoutError:
        return False


def test_what_one_holds_nobody_else_gets_and_other_work_goes_on(
    database: Database, store: StateStore, url: str
) -> None:
    other = open_database(url)
    with database.lock("renewal", 0):
        assert not is_free(other, "renewal")
        assert not is_free(other, "renewal", wait=1)
        assert not is_free(database, "renewal")
        assert is_free(other, "something else")
        store.put_value("name", "text")
    assert is_free(other, "renewal")
    other.engine.dispose()


def test_a_lock_whose_file_is_damaged_or_cannot_be_opened_is_unwritable(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}")
    damaged = tmp_path / "state.db.renewal.lock"
    damaged.write_bytes(b"no database" * 100)
    (tmp_path / "state.db.refresh.lock").mkdir()
    for purpose in ("renewal", "refresh"):
        with pytest.raises(StoreUnwritableError, match=rf"{purpose}\.lock"), database.lock(purpose, 0):
            pass
    database.engine.dispose()


def test_a_lock_is_let_go_when_its_holder_fails(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.lock("renewal", 0):
        _ = 1 / 0
    assert is_free(database, "renewal")


def test_who_waits_gets_the_lock_as_soon_as_it_is_let_go(database: Database, url: str) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        mine = open_database(url)
        with mine.lock("renewal", 30):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
        mine.engine.dispose()

    assert at_once(enter) == []
    assert most == [1] * THREADS


def test_stores_in_two_schemas_of_one_postgres_database_know_nothing_of_each_other(
    postgres: Server, clock: ManualClock
) -> None:
    urls = postgres.new_schema(), postgres.new_schema()
    with closing(StateStore(urls[0], clock)) as first, closing(StateStore(urls[1], clock)) as second:
        databases = open_database(urls[0]), open_database(urls[1])
        with databases[0].lock("renewal", 0), databases[1].lock("renewal", 0):
            first.put_value("name", "text")
            assert second.get_value("name") is None
        for database in databases:
            database.engine.dispose()


def _hold_and_die(url: str, held: Event) -> None:
    with open_database(url).lock("renewal", 0):
        held.set()
        threading.Event().wait()


def test_a_holder_that_is_killed_leaves_the_way_free(database: Database, url: str) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold_and_die, args=(url, held))
    process.start()
    assert held.wait(60)
    assert not is_free(database, "renewal")

    process.kill()
    process.join()
    process.close()

    assert is_free(database, "renewal", wait=30)
