"""Tests of the state store: rows are read back as written, on SQLite and on Postgres."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, literal_column, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError, StatementError

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import row_writes, verification
from shopify_xero_pipeline.state.canonical import canonical_json, checksum, digest, parse_exact_json
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.queries import chunks
from shopify_xero_pipeline.state.records import BatchRequest, HistoryRow, MirrorRecord
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import Flag, UtcDateTime
from shopify_xero_pipeline_tests.support.rows import mapped_row, mirror_row

NOW = datetime(2026, 9, 22, 1, 2, 3, 456, tzinfo=UTC)
DAY = date(2026, 9, 21)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


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
    assert str(parse_exact_json(canonical_json({"a": amount}))["a"]) == "9007199254740993.0100"


# -- text, instants and bytes ------------------------------------------------------------------------------------------


def test_what_is_stored_comes_back_as_it_was(store: StateStore) -> None:
    words = "Zoë 漢字 🧾 < > \\ ' \" \u0085 \u2028 e\u0301  two spaces "
    shown = mirrored(key=words, reference="", payload=canonical_json({"Total": Decimal("9007199254740993.0100")}))
    store.update_mirror("invoice", [shown], datetime(2026, 9, 27, 1, 30, 0, 1, tzinfo=ZoneInfo("Pacific/Auckland")))

    assert store.mirror("invoice", [words]) == [shown]
    assert str(parse_exact_json(store.mirror("invoice")[0].payload)["Total"]) == "9007199254740993.0100"
    swept = store.mirror_swept_at("invoice")
    assert swept == datetime(2026, 9, 26, 13, 30, 0, 1, tzinfo=UTC)
    assert swept.tzinfo == UTC

    store.journal.intend(
        BatchRequest(kind="item", method="PUT", path="/Items", body=bytes(range(256)) * 9, idempotency_key="k"), []
    )
    assert store.journal.unsettled()[0].body == bytes(range(256)) * 9


def test_rows_are_sorted_by_the_bytes_of_their_text_in_every_database(store: StateStore) -> None:
    ids = ["1001/1", "10/1", "a", "B", "é", "z", "_", "A-1", "A1"]
    store.update_mirror("invoice", [mirrored(one) for one in ids], None)
    assert [row.xero_id for row in store.mirror("invoice")] == ["10/1", "1001/1", "A-1", "A1", "B", "_", "a", "z", "é"]


def test_an_instant_without_a_zone_is_refused(store: StateStore) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        store.update_mirror("invoice", [mirrored(updated_at=datetime(2026, 9, 1))], None)  # noqa: DTZ001
    assert UtcDateTime().process_bind_param(None, None) is None  # type: ignore[arg-type]


def test_a_failed_statement_does_not_repeat_what_was_to_be_stored(store: StateStore) -> None:
    with pytest.raises(SQLAlchemyError) as raised:
        store.update_mirror("invoice", [mirrored().model_copy(update={"kind": None, "payload": "Aroha"})], None)
    assert "Aroha" not in str(raised.value).partition("DETAIL")[0]


def test_chunks_keep_order_and_end() -> None:
    assert list(chunks(range(5), 2)) == [(0, 1), (2, 3), (4,)]
    assert list(chunks([])) == []


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
    assert set(store.mirror_by_xero_id("invoice", ["x-2", "c-1"])) == {"x-2"}
    assert store.mirror_swept_at("invoice") == NOW


def test_a_complete_listing_drops_what_it_does_not_show(store: StateStore) -> None:
    store.update_mirror("item", [mirrored(f"i-{n}", f"SKU-{n}", kind="item") for n in range(600)], NOW)
    newer = mirrored("i-700", "SKU-700", kind="item", updated_at=NOW + timedelta(seconds=1))
    store.update_mirror("item", [newer], None)
    store.update_mirror("item", [mirrored("i-7", "SKU-7", kind="item")], NOW, gone_before=NOW)
    assert [row.xero_id for row in store.mirror("item")] == ["i-7", "i-700"], "what changed after the listing stays"


def test_small_texts_are_remembered_with_their_time(store: StateStore, clock: ManualClock) -> None:
    assert store.get_value("organisation") is None
    store.put_value("organisation", "one")
    clock.sleep(60)
    store.put_value("organisation", "two")
    assert store.get_value("organisation") == ("two", NOW + timedelta(seconds=60))


def test_texts_are_kept_and_deleted_together_and_found_by_the_word_their_names_begin_with(store: StateStore) -> None:
    store.put_values({"note.b": "2", "note.a": "1", "notes": "x", "note": "y", "noted.a": "z", "Note.a": "w"})
    assert store.get_values("note") == {"a": "1", "b": "2"}
    store.put_values({"note.a": None, "note.b": "3", "note.\u00e9": "4", "note.never": None})
    assert store.get_values("note") == {"b": "3", "\u00e9": "4"}
    assert store.get_value("note.a") is None
    assert store.get_value("notes") == ("x", NOW)
    assert store.get_values("nothing") == {}


def test_texts_of_many_keys_are_read_at_once(store: StateStore) -> None:
    store.put_values({f"day.{number}": str(number) for number in range(1_200)})
    found = store.get_present([f"day.{number}" for number in range(0, 2_400, 2)])
    assert len(found) == 600
    assert found["day.1198"] == ("1198", NOW)


def test_texts_that_are_kept_together_are_kept_all_or_none(store: StateStore) -> None:
    store.put_value("note.a", "1")
    with pytest.raises(StatementError):
        store.put_values({"note.a": None, "note.b": object()})  # type: ignore[dict-item]
    assert store.get_values("note") == {"a": "1"}


def test_history_is_kept_by_run_day_and_kind(store: StateStore) -> None:
    row = HistoryRow(run_id="a", partition=DAY, kind="contact", created=1, finished_at=NOW)
    store.record_history([row, row.model_copy(update={"run_id": "b"})])
    store.record_history([row.model_copy(update={"created": 5, "partition": DAY + timedelta(days=1)})])
    store.record_history([row.model_copy(update={"created": 2})])

    assert [one.created for one in store.history(run_id="a")] == [2, 5]
    assert {one.run_id for one in store.history(days=[DAY])} == {"a", "b"}
    assert len(store.history()) == 3


def test_a_xero_id_stands_for_one_record_only(store: StateStore) -> None:
    one = mapped_row(kind="item", xero_id="x", natural_key="A")
    with store._engine.begin() as connection:
        row_writes.write_mapping(connection, [one], NOW)
        row_writes.write_mapping(connection, [one.model_copy(update={"checksum": "d"})], NOW)
    with pytest.raises(IntegrityError), store._engine.begin() as connection:
        row_writes.write_mapping(connection, [one.model_copy(update={"shopify_id": "2"})], NOW)
    assert store.mapped("item")["1"].checksum == "d"
    assert store.ids_by_xero_id("item", ["x", "y"]) == {"x": "1"}
    assert store.ids_by_natural_key("item", ["A", "B"]) == {"A": "1"}


# -- verification ------------------------------------------------------------------------------------------------------


def filled_pages(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill three pages of the mirror and of the history, whose key has a day."""
    monkeypatch.setattr(verification, "ROWS", 2)
    store.update_mirror("invoice", [mirrored(f"x-{number}") for number in range(5)], NOW)
    days = (DAY + timedelta(days=number) for number in range(5))
    store.record_history([HistoryRow(run_id="a", partition=day, kind="contact", finished_at=NOW) for day in days])


def test_every_page_of_rows_is_verified(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    filled_pages(store, monkeypatch)
    store.verify()


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("xero_mirror", "UPDATE xero_mirror SET status = 'VOIDED' WHERE xero_id = 'x-4'"),
        ("sync_history", "UPDATE sync_history SET created = 7 WHERE partition = '2026-09-25'"),
        ("an instant", "UPDATE sync_history SET finished_at = replace(finished_at, 'T', 'U')"),
        ("a day", "UPDATE sync_history SET partition = 'x' WHERE partition = '2026-09-25'"),
    ],
)
def test_damage_on_any_page_is_found(
    store: StateStore, monkeypatch: pytest.MonkeyPatch, table: str, statement: str
) -> None:
    filled_pages(store, monkeypatch)
    with store._engine.begin() as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(StoreDamagedError, match=table):
        store.verify()


def test_a_truth_value_other_than_0_or_1_is_damage(store: StateStore) -> None:
    if store._engine.dialect.name == "sqlite":
        with store._engine.begin() as connection:
            assert connection.scalar(select(literal_column("1", Flag))) is True
            with pytest.raises(StoreDamagedError, match="a truth value"):
                connection.scalar(select(literal_column("5", Flag)))


def test_a_row_that_the_mirror_already_has_is_not_written_again(store: StateStore) -> None:
    row = mirror_row(kind="invoice", natural_key="SH-1")
    written: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *values: written.append(values[2]))
    store.update_mirror("invoice", [row], NOW)
    inserts = [text for text in written if text.startswith("INSERT INTO xero_mirror")]
    written.clear()
    store.update_mirror("invoice", [row], NOW)
    again = [text for text in written if "mirror" in text and not text.startswith("SELECT")]
    store.update_mirror("invoice", [row.model_copy(update={"status": "VOIDED"})], NOW)
    assert (len(inserts), again) == (1, [])
    assert [row.status for row in store.mirror("invoice")] == ["VOIDED"]
