"""Tests of migrations: each is atomic and runs once, even if a process dies; on both databases."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert, inspect, select, text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state.database import open_database
from shopify_xero_pipeline.state.database_errors import StoreDamagedError, StoreUrlError
from shopify_xero_pipeline.state.former_tables import (
    FORMER_KEYS,
    FORMER_PREFIXES,
    FORMER_STATES,
    RENAMINGS,
    Renaming,
    remembered,
)
from shopify_xero_pipeline.state.key_rows import KEY_TABLES
from shopify_xero_pipeline.state.migrations import MIGRATIONS, Migration, StoreTooNewError, migrate
from shopify_xero_pipeline.state.quarantine import quarantine_store
from shopify_xero_pipeline.state.record_keys import account_key, number_key, order_key
from shopify_xero_pipeline.state.records import (
    BatchRequest,
    BatchState,
    OperationOutcome,
    OperationState,
    OrphanNote,
    PlannedWrite,
)
from shopify_xero_pipeline.state.row_checksums import read, update_rows, with_checksum
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import metadata, one_open_operation, operation
from shopify_xero_pipeline.state.verification import verify
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.support.rows import mirror_row

NOW = datetime(2026, 9, 22, tzinfo=UTC)
DAY = date(2026, 9, 21)
# Children are forked from one small process that has read the modules, so that dying sixty times takes seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__, "psycopg", "sqlalchemy.dialects.postgresql.psycopg"])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def _add_note(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE key_value ADD COLUMN note TEXT"))


def _add_former_note(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE remembered ADD COLUMN note TEXT"))


def _move_texts(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE notes (name TEXT PRIMARY KEY, note TEXT NOT NULL)"))
    connection.execute(text("INSERT INTO notes SELECT key, value FROM key_value"))
    connection.execute(text("DELETE FROM key_value"))


def _fail(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE remembered ADD COLUMN half TEXT"))
    raise RuntimeError("power cut")


NEW_IN_3 = {
    "entity_mapping": ["row_hash"],
    "sync_errors": ["payload_hash", "next_try", "dismissed_at", "dismissed_because", "row_hash"],
    "operation": ["row_hash"],
    "batch": ["owner", "fence", "lease_until", "row_hash"],
    "evidence": ["row_hash"],
    "sync_history": ["row_hash"],
    "xero_mirror": ["row_hash"],
    "remembered": ["row_hash"],
}
NEW_IN_5 = {
    "batch": ["xero_sent_at", "xero_quiet_at", "xero_settled_at"],
    "evidence": ["xero_looked_up_at"],
}
PRESENT_KEYS = (
    "alerts.state", "decision.invoice 1", "held_lines.2026-09-21 invoice", "mirror.item",
    "orders_read_up_to.2026-09-21",
    "organisation.identity", "organisation.settings.ab", "organisation.tenant.ab", "pending.2026-09",
    "reconciled_up_to.2026-09-21", "reconciliation.2026-09-21", "shop.domain", "write.last_batch",
)  # fmt: skip
LONGER: tuple[Migration, ...] = (*MIGRATIONS, _add_note, _move_texts)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    engine = open_database(url).engine
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def transaction(url: str) -> Iterator[Connection]:
    with opened(url) as engine, engine.begin() as connection:
        yield connection


def _without_keys(connection: Connection) -> None:
    """Take away what version 8 added."""
    for keys in KEY_TABLES.values():
        keys.drop(connection)
    for index in ("operation_by_state", "operation_with_payload", "history_of_day", "open_errors", "unprocessed_hints"):
        connection.execute(text(f"DROP INDEX {index}"))
    connection.execute(text("CREATE INDEX ix_operation_state ON operation (state)"))
    connection.execute(text("UPDATE meta SET value = '7' WHERE name = 'schema_version'"))


def at_version_7(url: str) -> None:
    """The store as it was before the keys of its rows."""
    with transaction(url) as connection:
        _without_keys(connection)


def _with_former_names(connection: Connection) -> None:
    """Give tables, columns, keys and states the names that they had before version 7."""
    _without_keys(connection)
    for renaming in RENAMINGS:
        rows = connection.execute(select(renaming.present)).mappings().all()
        renaming.present.drop(connection)
        renaming.former.create(connection)
        if rows:
            connection.execute(insert(renaming.former), [_former_row(renaming, row) for row in rows])
    one_open_operation.drop(connection)
    for former, present in FORMER_STATES.items():
        found = read(connection, select(operation).where(operation.c.state == present))
        update_rows(connection, operation, found, lambda _, state=former: {"state": state})  # type: ignore[misc]
    states = ("planned", "in_batch", *FORMER_STATES)
    connection.execute(
        text(f"CREATE UNIQUE INDEX one_open_operation ON operation (kind, shopify_id) WHERE state IN {states}")
    )
    connection.execute(text("UPDATE meta SET value = '6' WHERE name = 'schema_version'"))


def _former_row(renaming: Renaming, row: Mapping[Any, Any]) -> dict[str, Any]:
    back = {present: former for former, present in renaming.columns.items()}
    values = {back.get(name, name): value for name, value in row.items() if name != "row_hash"}
    if renaming.former is remembered:
        values["name"] = _former_key(str(values["name"]))
    return with_checksum(values) if "row_hash" in row else values


def _former_key(key: str) -> str:
    names = {present: former for former, present in FORMER_KEYS.items()}
    begun = [(present, former) for former, present in FORMER_PREFIXES.items() if key.startswith(present)]
    return names.get(key) or (f"{begun[0][1]}{key.removeprefix(begun[0][0])}" if begun else key)


def at_version_6(url: str) -> None:
    """The store as it was before the names of the glossary."""
    with transaction(url) as connection:
        _with_former_names(connection)


def at_version_1(url: str) -> None:
    """The store as its first version was."""
    with transaction(url) as connection:
        _with_former_names(connection)
        connection.execute(text("DROP INDEX mirror_by_reference"))
        connection.execute(text("DROP TABLE token_set"))
        connection.execute(text("DROP TABLE call"))
        connection.execute(text("DROP TABLE hint"))
        _without_orphans(connection)
        for added in (NEW_IN_5, NEW_IN_3):
            _drop(connection, added)
        connection.execute(text("ALTER TABLE sync_history DROP COLUMN deleted"))
        connection.execute(text("UPDATE meta SET value = '1' WHERE name = 'schema_version'"))


def _without_orphans(connection: Connection) -> None:
    """Take away what version 6 added."""
    connection.execute(text("DROP TABLE orphaned_order"))
    connection.execute(text("DROP TABLE kept_record"))
    connection.execute(text("DROP INDEX mapped_on_day"))


def _drop(connection: Connection, added: Mapping[str, Sequence[str]]) -> None:
    for table, columns in added.items():
        for column in columns:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))


def at_version_4(url: str) -> None:
    """The store as it was before requests bore Xero's time; its rows bear the hashes of then."""
    with transaction(url) as connection:
        _with_former_names(connection)
        _without_orphans(connection)
        _drop(connection, NEW_IN_5)
        connection.execute(text("UPDATE meta SET value = '4' WHERE name = 'schema_version'"))


def version(url: str) -> str:
    with transaction(url) as connection:
        return str(connection.scalar(text("SELECT value FROM meta WHERE name = 'schema_version'")))


def shape(url: str) -> dict[str, tuple[list[str], list[str], Any]]:
    """Everything a migration may change: tables, columns, indexes, and how many rows each table has."""
    with transaction(url) as connection:
        found = inspect(connection)
        return {
            name: (
                [column["name"] for column in found.get_columns(name)],
                sorted(str(index["name"]) for index in found.get_indexes(name)),
                connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1").all(),
            )
            for name in sorted(found.get_table_names())
        }


def columns(url: str, table: str = "key_value") -> list[str]:
    return shape(url)[table][0]


def test_an_older_store_is_brought_up_to_date_once(store: StateStore, url: str) -> None:
    at_version_1(url)
    for _ in range(2):
        with opened(url) as engine:
            migrate(engine, [_add_former_note])
        assert (version(url), columns(url, "remembered")) == ("2", ["name", "text", "at", "note"])


def test_a_store_of_version_1_counts_what_is_taken_back_and_reads_xero_anew(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    note = mirror_row(kind="credit_note")
    store.update_mirror("credit_note", [note], NOW)
    store.update_mirror("invoice", [note.model_copy(update={"kind": "invoice"})], NOW)
    store.close()
    new = shape(url)
    at_version_1(url)

    with closing(StateStore(url, clock)) as again:
        assert (again.mirror_swept_at("credit_note"), again.mirror_swept_at("invoice")) == (None, None)
        assert (again.mirror("credit_note"), again.mirror("invoice")) == ([], [])
        assert again.history() == []
    brought = shape(url)
    for name in ("xero_mirror", "key_value"):
        assert columns(url, name) == new.pop(name)[0]
        del brought[name]
    assert brought == new


def test_a_store_of_version_4_keeps_its_requests_sound_and_reads_xero_anew(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    request = BatchRequest(kind="invoice", method="PUT", path="/Invoices", body=b"{}", idempotency_key="key")
    store.journal.mark_sent(store.journal.intend(request, []))
    store.update_mirror("invoice", [], NOW, watermark=NOW)
    store.close()
    at_version_4(url)

    with closing(StateStore(url, clock)) as again:
        verify(again._engine)
        assert (again.mirror_swept_at("invoice"), again.mirror_watermark("invoice")) == (None, None)
        (sent,) = again.journal.unsettled()
        assert (sent.state, sent.xero_sent_at, sent.xero_quiet_at) == (BatchState.SENT, None, None)


def test_a_store_of_version_8_gets_the_keys_of_accounts(store: StateStore, url: str, clock: ManualClock) -> None:
    line = '{"LineItems":[{"AccountCode":"830"},{"AccountCode":"200"},{"Description":"thanks"}]}'
    invoice = mirror_row(kind="invoice", reference="#1001 shopify:77/1", payload=line)
    payment = mirror_row(kind="payment", reference="shopify:77/2", payload='{"Account":{"Code":"830"}}')
    contact = mirror_row(kind="contact", reference="", payload='{"Name":"830"}')
    for row in (invoice, payment, contact):
        store.update_mirror(row.kind, [row], NOW)
    store.close()
    with transaction(url) as connection:
        connection.execute(text("DELETE FROM mirror_key WHERE key LIKE 'account:%'"))
        connection.execute(text("UPDATE meta SET value = '8' WHERE name = 'schema_version'"))

    with closing(StateStore(url, clock)) as again:
        verify(again._engine)
        found = {
            kind: again.mirror_by_key(kind, {account_key("830", DAY)}) for kind in ("invoice", "payment", "contact")
        }
    assert found == {"invoice": [invoice], "payment": [payment], "contact": []}
    assert version(url) == "10"


def test_a_store_of_version_9_gets_the_day_in_the_keys_of_accounts(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    fields = '{"LineItems":[{"AccountCode":"830"}],"DateString":"2026-09-19T00:00:00"}'
    invoice = mirror_row(kind="invoice", reference="#1001 shopify:77/1", payload=fields)
    store.update_mirror("invoice", [invoice], NOW)
    store.close()
    before = shape(url)
    with transaction(url) as connection:
        connection.execute(text("UPDATE mirror_key SET key = 'account:830' WHERE key LIKE 'account:%'"))
        connection.execute(text("DROP INDEX mapped_on_day"))
        connection.execute(text("CREATE INDEX ix_entity_mapping_partition ON entity_mapping (partition)"))
        connection.execute(text("UPDATE meta SET value = '9' WHERE name = 'schema_version'"))

    with closing(StateStore(url, clock)) as again:
        verify(again._engine)
        assert again.mirror_by_key("invoice", {account_key("830", date(2026, 9, 19))}) == [invoice]
    assert (shape(url), version(url)) == (before, "10")


def test_a_store_of_version_7_gets_the_keys_of_its_rows(store: StateStore, url: str, clock: ManualClock) -> None:
    ours = mirror_row(kind="invoice", reference="#1001 shopify:77/1")
    theirs = mirror_row(kind="invoice", xero_id="x-2", natural_key="Bill-7", reference="by hand")
    store.update_mirror("invoice", [ours, theirs], NOW)
    store.close()
    before = shape(url)
    at_version_7(url)

    with closing(StateStore(url, clock)) as again:
        verify(again._engine)
        assert again.mirror_by_key("invoice", {order_key("77")}) == [ours]
        assert again.mirror_by_key("invoice", {number_key("bill-7")}) == [theirs]
    assert shape(url) == before


def filled(store: StateStore) -> None:
    """Put something into each table that version 7 renamed, and an operation under review."""
    write = {
        "kind": "invoice", "order_id": "1", "order_name": "#1", "partition": DAY, "run_id": "run", "verb": "create",
        "payload": "{}", "checksum": "c",
    }  # fmt: skip
    refused, reviewed, planned = (
        PlannedWrite.model_validate({**write, "shopify_id": number, "natural_key": f"SH-{number}"})
        for number in ("1", "2", "3")
    )
    store.journal.plan([refused, reviewed, planned])
    for one, state in ((refused, OperationState.REJECTED), (reviewed, OperationState.NEEDS_REVIEW)):
        (operation,) = store.journal.latest("invoice", [one.shopify_id]).values()
        outcome = OperationOutcome(
            operation_id=operation.id,
            expected_state=(OperationState.PLANNED, None),
            state=state,
            reason="no",
            retryable=True,
        )
        store.journal.settle([outcome])
    for key in PRESENT_KEYS:
        store.put_value(key, f"text of {key}")
    hints = {"topic": "orders/updated", "record": "order", "record_id": "1", "received_at": NOW}
    store.hints.add([WebhookHint(id="h", source="shopify", delivery="d", occurred_at=NOW, **hints)])
    store.hints.mark_processed(store.hints.open())
    store.orphans.note([OrphanNote(order_id="9", partition=DAY, cause="deleted", noted_at=NOW, looked_up_at=NOW)])


def test_a_store_of_version_6_gets_the_names_of_the_glossary_and_keeps_every_row(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    filled(store)
    store.close()
    before = shape(url)
    at_version_6(url)
    former = shape(url)
    assert {"remembered", "token_set", "call", "hint"} <= set(former)
    assert {row[0] for row in former["remembered"][2]} == {_former_key(key) for key in PRESENT_KEYS}

    with closing(StateStore(url, clock)) as again:
        verify(again._engine)
        assert (again.get_values("reconciliation"), again.get_value("shop.domain")) == (
            {"2026-09-21": "text of reconciliation.2026-09-21"},
            ("text of shop.domain", NOW),
        )
    assert shape(url) == before


@pytest.mark.parametrize("table", ["remembered", "hint", "orphaned_order", "sync_errors", "operation"])
def test_damage_in_a_store_of_version_6_is_not_sealed_over_and_the_store_is_left_as_it_was(
    store: StateStore, url: str, clock: ManualClock, table: str
) -> None:
    filled(store)
    store.close()
    at_version_6(url)
    column = {"remembered": "text", "hint": "topic", "orphaned_order": "detail"}.get(table, "natural_key")
    with transaction(url) as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = 'other'"))
    before = shape(url)
    with pytest.raises(StoreDamagedError, match=f"a row of {table} does not match its checksum"):
        StateStore(url, clock)
    assert shape(url) == before


def test_what_only_a_store_of_version_6_knows_is_brought_over_when_it_is_put_aside(store: StateStore, url: str) -> None:
    filled(store)
    store.privacy.note_redaction("7", {"keys": ["shopify:7"]})
    store.close()
    at_version_6(url)

    aside = quarantine_store(url, NOW + timedelta(hours=1))

    assert aside is not None
    assert [row["key"] for row in aside.carried_over["key_value"]] == ["decision.invoice 1", "redacted_contact.7"]


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: StateStore, url: str) -> None:
    at_version_1(url)
    before = shape(url)
    with opened(url) as engine, pytest.raises(RuntimeError):
        migrate(engine, [_add_former_note, _fail])
    assert shape(url) == before


def test_a_store_of_a_newer_version_is_refused(store: StateStore, url: str, clock: ManualClock) -> None:
    with opened(url) as engine:
        migrate(engine, [*MIGRATIONS, _add_note])
    with pytest.raises(StoreTooNewError, match="schema version 11, this version of the project supports 10"):
        StateStore(url, clock)


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE batch (id INTEGER)",
        "CREATE TABLE meta (name TEXT, worth TEXT)",
        "CREATE TABLE meta (name TEXT, value TEXT)",
    ],
)
def test_a_database_in_which_another_program_keeps_its_tables_is_left_alone(
    url: str, clock: ManualClock, foreign: str
) -> None:
    with transaction(url) as connection:
        connection.exec_driver_sql(foreign)
    before = shape(url)
    with pytest.raises(
        StoreUrlError, match=rf"tables of another program \({foreign.split()[2]}\): give the state store"
    ):
        StateStore(url, clock)
    assert shape(url) == before


# -- processes ---------------------------------------------------------------------------------------------------------


def _migrate_and_die(url: str, at: int, steps: Sequence[Migration]) -> None:
    """Bring the store up to date, and die by SIGKILL before the n-th statement or commit."""
    engine, passed = open_database(url).engine, count(1)

    def burn(*_: object) -> None:
        if next(passed) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", burn)
    event.listen(engine, "commit", burn)
    migrate(engine, steps)


def killed_everywhere(url: str, steps: Sequence[Migration]) -> int:
    """Kill at the first statement, the second, and so on until one gets through; return how many were killed."""
    before = shape(url)
    for at in count(1):
        process = FORKS.Process(target=_migrate_and_die, args=(url, at, steps))
        process.start()
        process.join()
        if process.exitcode == 0:
            return at - 1
        assert process.exitcode == -signal.SIGKILL
        assert shape(url) == before, f"half done when killed before statement {at}"
    raise AssertionError


@pytest.mark.campaign
def test_a_store_whose_making_is_killed_at_any_statement_is_empty_or_whole(url: str, clock: ManualClock) -> None:
    kills = killed_everywhere(url, MIGRATIONS)

    assert kills > len(metadata.tables) + 10  # and the indexes
    assert set(shape(url)) == set(metadata.tables)
    with closing(StateStore(url, clock)) as store:
        assert store.unfinished_days() == set()


@pytest.mark.campaign
def test_a_store_whose_migration_is_killed_at_any_statement_is_old_or_new(store: StateStore, url: str) -> None:
    filled(store)
    store.put_value("shop.domain", "goods.myshopify.com")
    at_version_1(url)

    kills = killed_everywhere(url, LONGER)

    assert kills >= 10
    assert version(url) == "12"
    assert "deleted" in columns(url, "sync_history")
    assert columns(url) == ["key", "value", "updated_at", "row_hash", "note"]
    with transaction(url) as connection:
        notes = {row.name: row.note for row in connection.execute(text("SELECT name, note FROM notes"))}
        assert (notes["shop.domain"], {*notes}) == ("goods.myshopify.com", {*PRESENT_KEYS} - {"mirror.item"})
        assert connection.scalar(text("SELECT count(*) FROM key_value")) == 0


def _start(url: str, together: Barrier, steps: Sequence[Migration]) -> None:
    engine = open_database(url).engine
    together.wait(60)
    migrate(engine, steps)


@pytest.mark.parametrize("new", [True, False])
def test_processes_that_start_at_once_bring_a_store_up_to_date_once(url: str, clock: ManualClock, new: bool) -> None:
    if not new:
        StateStore(url, clock).close()
        at_version_1(url)
    together = FORKS.Barrier(4)
    processes = [FORKS.Process(target=_start, args=(url, together, LONGER)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert version(url) == "12"
