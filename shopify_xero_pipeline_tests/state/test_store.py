"""The state store on a real SQLite file."""

import multiprocessing
import sqlite3
import stat
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, StatementError

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import rows
from shopify_xero_pipeline.state.canonical import canonical_json, checksum, digest, exact
from shopify_xero_pipeline.state.database import StoreBusyError, StoreUrlError, chunks, open_engine
from shopify_xero_pipeline.state.migrations import StoreTooNewError, migrate
from shopify_xero_pipeline.state.records import HistoryRow, MappedRecord, MirrorRecord
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import Instant

NOW = datetime(2026, 9, 22, 1, 2, 3, 456, tzinfo=UTC)
DAY = date(2026, 9, 21)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state.db"


@pytest.fixture
def store(path: Path, clock: ManualClock) -> StateStore:
    return StateStore(f"sqlite:///{path}", clock)


def mirrored(xero_id: str = "x-1", key: str = "SH-1", **fields: object) -> MirrorRecord:
    given = {"reference": "r", "status": "PAID", "updated_at": NOW, "payload": '{"Total":10.10}'} | fields
    return MirrorRecord.model_validate({"kind": "invoice", "xero_id": xero_id, "natural_key": key} | given)


# -- canonical ---------------------------------------------------------------------------------------------------------


def test_the_same_content_gives_the_same_bytes_whatever_its_order() -> None:
    one = {"b": Decimal("10.10"), "a": {"z": None, "y": ["ü", 1]}}
    other = {"a": {"y": ["ü", 1], "z": None}, "b": Decimal("10.10")}
    assert canonical_json(one) == canonical_json(other) == '{"a":{"y":["ü",1],"z":null},"b":10.10}'
    assert checksum(one) == checksum(other) == digest('{"a":{"y":["ü",1],"z":null},"b":10.10}')
    assert digest("a") == digest(b"a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_money_passes_exactly() -> None:
    amount = Decimal("9007199254740993.0100")
    assert str(exact(canonical_json({"a": amount}))["a"]) == "9007199254740993.0100"


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["postgresql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "state.db", ""])
def test_only_an_sqlite_file_is_accepted_and_no_password_is_repeated(url: str, clock: ManualClock) -> None:
    with pytest.raises(StoreUrlError, match="must be an SQLite file") as raised:
        StateStore(url, clock)
    assert "secret" not in str(raised.value)


def test_the_file_is_made_for_its_owner_alone(store: StateStore, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with store.writing():
        assert stat.S_IMODE(path.with_name("state.db.lock").stat().st_mode) == 0o600


def test_every_commit_reaches_the_disk_and_every_transaction_may_write(path: Path) -> None:
    path.parent.mkdir()
    with open_engine(path).begin() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "delete"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        second = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("BEGIN IMMEDIATE")
        second.close()


def test_the_tables_are_plain_to_read(store: StateStore, path: Path) -> None:
    store.update_mirror("invoice", [mirrored()], NOW)
    connection = sqlite3.connect(path)
    assert connection.execute("select natural_key, updated_at, payload from xero_mirror").fetchall() == [
        ("SH-1", "2026-09-22T01:02:03.000456Z", '{"Total":10.10}')
    ]
    tables = {row[0] for row in connection.execute("select name from sqlite_master where type='table'")}
    connection.close()
    assert tables == {
        "batch",
        "entity_mapping",
        "evidence",
        "meta",
        "operation",
        "remembered",
        "sync_errors",
        "sync_history",
        "xero_mirror",
    }


def test_writers_in_several_threads_wait_for_each_other(store: StateStore) -> None:
    def write(number: int) -> None:
        for _ in range(5):
            store.remember(f"name-{number}", "again" if store.recall(f"name-{number}") else "first")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.recall(f"name-{number}") == ("again", NOW) for number in range(6))


def test_an_instant_without_a_zone_is_refused(store: StateStore) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        store.update_mirror("invoice", [mirrored(updated_at=datetime(2026, 9, 1))], None)  # noqa: DTZ001
    assert Instant().process_bind_param(None, None) is None  # type: ignore[arg-type]


def test_chunks_keep_order_and_end() -> None:
    assert list(chunks(range(5), 2)) == [(0, 1), (2, 3), (4,)]
    assert list(chunks([])) == []


# -- the only writer ---------------------------------------------------------------------------------------------------


def test_a_second_load_is_refused_while_one_runs_and_reading_goes_on(store: StateStore, path: Path) -> None:
    other = StateStore(f"sqlite:///{path}", ManualClock(NOW))
    with store.writing():
        with pytest.raises(StoreBusyError, match=r"Another load is writing to state\.db"), other.writing():
            raise AssertionError("entered")
        other.remember("name", "text")
    with other.writing():
        pass


def _hold_and_die(path: str, held: Event) -> None:
    with StateStore(f"sqlite:///{path}", ManualClock(NOW)).writing():
        held.set()
        threading.Event().wait()


def test_a_writer_that_is_killed_leaves_the_way_free(store: StateStore, path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold_and_die, args=(str(path), held))
    process.start()
    assert held.wait(60)
    with pytest.raises(StoreBusyError), store.writing():
        pass

    process.kill()
    process.join()
    process.close()

    with store.writing():
        pass


# -- migrations --------------------------------------------------------------------------------------------------------


def _add_note(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE remembered ADD COLUMN note TEXT"))


def _fail(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE remembered ADD COLUMN half TEXT"))
    raise RuntimeError("power cut")


def at_version_1(path: Path) -> None:
    """The store as its first version was."""
    with open_engine(path).begin() as connection:
        connection.execute(text("ALTER TABLE sync_history DROP COLUMN deleted"))
        connection.execute(text("UPDATE meta SET value = '1' WHERE name = 'schema_version'"))


def schema(path: Path) -> tuple[str, set[str]]:
    with open_engine(path).begin() as connection:
        version = connection.scalar(text("select value from meta where name = 'schema_version'"))
        columns = {row.name for row in connection.execute(text("PRAGMA table_info(remembered)"))}
    return str(version), columns


def test_an_older_store_is_brought_up_to_date_once(store: StateStore, path: Path) -> None:
    at_version_1(path)
    for _ in range(2):
        migrate(open_engine(path), [_add_note])
        assert schema(path) == ("2", {"name", "text", "at", "note"})


def test_a_store_of_version_1_counts_what_is_taken_back_and_reads_credit_notes_anew(
    store: StateStore, path: Path, clock: ManualClock
) -> None:
    store.update_mirror("credit_note", [mirrored(kind="credit_note")], NOW)
    store.update_mirror("invoice", [mirrored()], NOW)
    store.close()
    at_version_1(path)

    again = StateStore(f"sqlite:///{path}", clock)

    assert (again.mirror_swept_at("credit_note"), again.mirror_swept_at("invoice")) == (None, NOW)
    assert [row.xero_id for row in again.mirror("credit_note")] == ["x-1"]
    assert schema(path)[0] == "2"
    assert again.history() == []
    again.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: StateStore, path: Path) -> None:
    at_version_1(path)
    with pytest.raises(RuntimeError):
        migrate(open_engine(path), [_add_note, _fail])
    assert schema(path) == ("1", {"name", "text", "at"})


def test_a_store_of_a_newer_version_is_refused(store: StateStore, path: Path, clock: ManualClock) -> None:
    migrate(open_engine(path), [_add_note, _add_note])
    with pytest.raises(StoreTooNewError, match="schema 3, this version of the project knows 2"):
        StateStore(f"sqlite:///{path}", clock)


# -- mirror, texts, history --------------------------------------------------------------------------------------------


def test_the_mirror_keeps_what_was_shown_last(store: StateStore) -> None:
    assert store.mirror_swept_at("invoice") is None
    store.update_mirror("invoice", [mirrored(status="DRAFT"), mirrored(), mirrored("x-2", "SH-2")], NOW)
    store.update_mirror("invoice", [mirrored("x-3", "SH-1", status="VOIDED")], None)
    store.update_mirror("contact", [mirrored("c-1", "", kind="contact")], None)

    assert [row.xero_id for row in store.mirror("invoice")] == ["x-1", "x-2", "x-3"]
    assert {(row.xero_id, row.status) for row in store.mirror("invoice", ["SH-1"])} == {
        ("x-1", "PAID"),
        ("x-3", "VOIDED"),
    }
    assert store.mirror("invoice", []) == []
    assert store.mirror("invoice", ["SH-1"])[0].updated_at == NOW
    assert set(store.mirrored("invoice", ["x-2", "c-1"])) == {"x-2"}
    assert store.mirror_swept_at("invoice") == NOW


def test_a_complete_listing_drops_what_it_does_not_show(store: StateStore) -> None:
    store.update_mirror("item", [mirrored(f"i-{n}", f"SKU-{n}", kind="item") for n in range(600)], NOW)
    store.update_mirror("item", [mirrored("i-7", "SKU-7", kind="item")], NOW, complete=True)
    assert [row.xero_id for row in store.mirror("item")] == ["i-7"]


def test_small_texts_are_remembered_with_their_time(store: StateStore, clock: ManualClock) -> None:
    assert store.recall("organisation") is None
    store.remember("organisation", "one")
    clock.sleep(60)
    store.remember("organisation", "two")
    assert store.recall("organisation") == ("two", NOW + timedelta(seconds=60))


def test_history_is_kept_by_run_day_and_kind(store: StateStore) -> None:
    row = HistoryRow(run_id="a", partition=DAY, kind="contact", created=1, finished_at=NOW)
    store.record_history([row, row.model_copy(update={"run_id": "b"})])
    store.record_history([row.model_copy(update={"created": 5, "partition": DAY + timedelta(days=1)})])
    store.record_history([row.model_copy(update={"created": 2})])

    assert [one.created for one in store.history(run_id="a")] == [2, 5]
    assert {one.run_id for one in store.history(days=[DAY])} == {"a", "b"}
    assert len(store.history()) == 3


def test_a_xero_id_stands_for_one_record_only(store: StateStore) -> None:
    one = MappedRecord(
        kind="item",
        shopify_id="1",
        xero_id="x",
        natural_key="A",
        checksum="c",
        payload="{}",
        partition=DAY,
        run_id="r",
        posted_at=NOW,
    )
    with store._engine.begin() as connection:
        rows.write_mapping(connection, [one], NOW)
        rows.write_mapping(connection, [one.model_copy(update={"checksum": "d"})], NOW)
    with pytest.raises(IntegrityError), store._engine.begin() as connection:
        rows.write_mapping(connection, [one.model_copy(update={"shopify_id": "2"})], NOW)
    assert store.mapped("item")["1"].checksum == "d"
    assert store.owners("item", ["x", "y"]) == {"x": "1"}
    assert store.holders("item", ["A", "B"]) == {"A": "1"}


def test_a_file_that_is_no_database_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all, only words" * 40)
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder"):
        with pytest.raises(StoreUrlError, match=f"STATE_URL names .*{name}, which cannot be used as a state store"):
            StateStore(f"sqlite:///{tmp_path / name}", ManualClock(datetime(2026, 9, 21, tzinfo=UTC)))
