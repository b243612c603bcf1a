"""The state store: what we know we did, and what we last saw in Xero. The one door to the database for the other rooms.

Reading and plain writing stand here; the exactly-once journal stands in `journal.py`, behind `StateStore.journal`.
Every method is one short transaction; none is ever open while something waits for the network.
"""

import os
import platform
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, delete, insert, or_, select

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.state import database_errors, privacy, queries, row_writes, verification
from shopify_xero_pipeline.state.api_calls import SharedCalls
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import Database, chunks, open_database
from shopify_xero_pipeline.state.database_errors import NoDatabaseError
from shopify_xero_pipeline.state.failed_records import FailedRecords
from shopify_xero_pipeline.state.invariants import InvariantResult, check_invariants
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.migrations import migrate
from shopify_xero_pipeline.state.orphans import Orphans
from shopify_xero_pipeline.state.records import (
    FrozenRecord,
    HistoryRow,
    MappedRecord,
    MirrorRecord,
    OperationState,
    SyncError,
)
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError, read, update_rows, with_checksum
from shopify_xero_pipeline.state.send_watermark import SendWatermark
from shopify_xero_pipeline.state.store_metrics import StoreMetrics, read_metrics
from shopify_xero_pipeline.state.tables import (
    entity_mapping,
    key_value,
    metadata,
    operation,
    sync_errors,
    sync_history,
    xero_mirror,
)
from shopify_xero_pipeline.state.tokens import TokenStore
from shopify_xero_pipeline.state.watermark_file import SUFFIX, WatermarkFile
from shopify_xero_pipeline.state.webhook_hints import WebhookHints

NOT_YET_WRITTEN = (OperationState.PLANNED, OperationState.IN_BATCH, OperationState.NEEDS_CHECK)
MAYBE_WRITTEN = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)
DOCUMENTS = ("invoice", "credit_note")
ALLOCATION_CARRIER, ALLOCATION_TARGET = "credit_note", "allocation"
TAKEN_BACK = "delete"
LOCK_SECONDS = 10


class StateStore:
    """Mapping, journal, failed records, history and mirror in one database.

    Args:
        url: `sqlite:///path/to/state.db`, created with its folder and readable by its owner alone, or
            `postgresql://user:password@host/database`, in which the tables are created.
        clock: stamps the rows.
        witnesses: the folder of the files that witness what was sent (`send_watermark.py`); by default an SQLite file's
            own folder, and none for Postgres.

    Raises:
        StoreUrlError: the URL is of another form, or what it names cannot be used as a state store.
        StoreBusyError: another process keeps it.
        StoreTooNewError: the store was written by a newer version of this project.
        StoreDamagedError: its file is damaged, as far as a quick look shows.
    """

    def __init__(self, url: str, clock: Clock, witnesses: Path | None = None) -> None:
        self._database = _opened(url, witnesses)
        self._clock = clock
        self._engine = self._database.engine
        self._verified = False
        database_errors.install_error_translation(self._engine, self.name)
        try:
            verification.quick_check(self._engine)
            migrate(self._engine)
            self.witness = SendWatermark(self._engine, self._witness_file(witnesses), needed=self._database.is_file)
        except BaseException:
            self.close()
            raise
        self.retry_queue = FailedRecords(self._engine, clock)
        self.calls = SharedCalls(self._engine, clock)
        self.hints = WebhookHints(self._engine, clock)
        self.orphans = Orphans(self._engine)
        self.journal = Journal(self._engine, clock, f"process {os.getpid()} on {platform.node()}", self.witness)

    @property
    def name(self) -> str:
        """The store's URL for messages, without a password."""
        return self._database.name

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def verify(self) -> None:
        """Look over everything that is stored, once: before a load, and before anything is sent.

        Raises:
            StoreDamagedError: something does not say what was written there.
        """
        if not self._verified:
            verification.verify(self._engine)
            self._verified = True

    def import_rows(self, keepsakes: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Write rows that another store kept, by table, where this one has none of their keys."""
        for name, found in keepsakes.items():
            table = metadata.tables[name]
            (key,) = table.primary_key
            with self._engine.begin() as connection:
                known = {*connection.scalars(select(key))}
                if new := [dict(row) for row in found if row[key.name] not in known]:
                    connection.execute(insert(table), new)

    def _witness_file(self, folder: Path | None) -> WatermarkFile:
        url, alone = self._engine.url, partial(self._database.lock, "witness", LOCK_SECONDS)
        if self._database.is_file:
            path = Path(str(url.database))
            return WatermarkFile(folder or path.parent, path.name, "", alone)
        where = f"{url.host} {url.port} {url.database} {url.query.get('options', '')}"
        return WatermarkFile(folder, f"postgres-{digest(where)[:12]}", digest(platform.node())[:12], alone)

    def tokens(self, name: str, keys: str) -> TokenStore:
        """Return the sign-in of an app kept here; see `TokenSets`.

        Raises:
            TokenKeyError: `keys` holds something that is not a key.
        """
        return TokenStore(self._database, name, keys, self._clock)

    def invariants(self) -> list[InvariantResult]:
        """Return what must be true of the store, and what breaks it."""
        return check_invariants(self._engine, self._clock.now())

    def metrics(self) -> StoreMetrics:
        """Return counts and times of what is kept, for those who watch."""
        return read_metrics(self._engine, self._clock.now())

    # -- mapping -------------------------------------------------------------------------------------------------------

    def mapped(self, kind: str, shopify_ids: Collection[str] | None = None) -> dict[str, MappedRecord]:
        """Return mapping rows of one kind by Shopify id: all of them, or those asked for that exist."""
        found = self._select(entity_mapping, kind, entity_mapping.c.shopify_id, shopify_ids)
        return {row["shopify_id"]: MappedRecord.model_validate(row) for row in found}

    def ids_by_xero_id(self, kind: str, xero_ids: Collection[str]) -> dict[str, str]:
        """Return which Shopify id each of these Xero ids stands for, where it is mapped at all."""
        found = self._select(entity_mapping, kind, entity_mapping.c.xero_id, xero_ids)
        return {row["xero_id"]: row["shopify_id"] for row in found}

    def ids_by_natural_key(self, kind: str, natural_keys: Collection[str]) -> dict[str, str]:
        """Return which Shopify id each of these natural keys is mapped to, where it is mapped at all."""
        found = self._select(entity_mapping, kind, entity_mapping.c.natural_key, natural_keys)
        return {row["natural_key"]: row["shopify_id"] for row in found}

    def mapped_of_orders(self, order_ids: Collection[str]) -> list[MappedRecord]:
        """Return the mapping rows of every document, payment and allocation of these orders, in posting order."""
        table, found = entity_mapping, []
        for some in chunks(order_ids):
            found += self._sound(table, select(table).where(table.c.order_id.in_(some)))
        return sorted(
            (MappedRecord.model_validate(row) for row in found), key=lambda row: (row.posted_at, row.natural_key)
        )

    def frozen_of_orders(self, order_ids: Collection[str]) -> list[FrozenRecord]:
        """Return what these orders have in the journal and not in the mapping, and what must therefore stay as it is.

        Documents count from the first plan on, because their number and date are frozen then; money counts once it may
        have reached Xero. Records refused for good are left out.
        """
        found = []
        for some in chunks(order_ids):
            is_document = operation.c.kind.in_(DOCUMENTS) & operation.c.state.in_((*NOT_YET_WRITTEN, *MAYBE_WRITTEN))
            wanted = is_document | operation.c.state.in_(MAYBE_WRITTEN)
            mine = (operation.c.order_id.in_(some), operation.c.verb != TAKEN_BACK, wanted)
            query = select(operation).where(*mine).order_by(operation.c.id)
            found += self._sound(operation, query)
        return [FrozenRecord.model_validate({name: row[name] for name in FrozenRecord.model_fields}) for row in found]

    def order_ids(self, name: str) -> set[str]:
        """Return the orders that a name stands for: an order's own, its Shopify id, or the number of a document."""
        posted, planned = entity_mapping.c, operation.c
        among_posted = or_(posted.natural_key == name, posted.order_id == name)
        among_planned = or_(planned.natural_key == name, planned.order_id == name, planned.order_name == name)
        with self._engine.begin() as connection:
            found = [
                *connection.scalars(select(posted.order_id).where(among_posted)),
                *connection.scalars(select(planned.order_id).where(among_planned)),
            ]
        return {order_id for order_id in found if order_id is not None}

    def orders_of_days(self, days: Collection[date]) -> dict[str, date]:
        """Return the orders of which a record is mapped to one of these days, each with its first such day."""
        found = [pair for some in chunks(days) for pair in self._order_days(entity_mapping.c.partition.in_(some))]
        return _first_days(found)

    def orders_before(self, day: date) -> dict[str, date]:
        """Return the orders of which a record is mapped to an earlier day, each with its first one."""
        return _first_days(self._order_days(entity_mapping.c.partition < day))

    def days_of_orders(self, order_ids: Collection[str]) -> dict[str, set[date]]:
        """Return the days to which records of these orders are mapped; orders without any are left out."""
        found: dict[str, set[date]] = {}
        for some in chunks(order_ids):
            for order_id, day in self._order_days(entity_mapping.c.order_id.in_(some)):
                found.setdefault(order_id, set()).add(day)
        return found

    def assign(self, days: Mapping[str, date]) -> None:
        """Let all mapped records of orders, by order id, belong to another day."""
        table = entity_mapping
        for some in chunks(days):
            with self._engine.begin() as connection:
                found = read(connection, table, select(table).where(table.c.order_id.in_(some)))
                moved = [row for row in found if row["partition"] != days[row["order_id"]]]
                update_rows(connection, table, moved, lambda row: {"partition": days[row["order_id"]]})

    def _order_days(self, *where: ColumnElement[bool]) -> list[tuple[str, date]]:
        columns = (entity_mapping.c.order_id, entity_mapping.c.partition)
        query = select(*columns).where(entity_mapping.c.order_id.is_not(None), *where).distinct()
        with self._engine.begin() as connection:
            return [(row.order_id, row.partition) for row in connection.execute(query)]

    # -- failures and history ------------------------------------------------------------------------------------------

    def failed_records(
        self, open_only: bool = True, days: Collection[date] | None = None, kinds: Collection[str] | None = None
    ) -> list[SyncError]:
        """Return failed records, oldest failure first; by default those neither resolved nor dismissed, on all days."""
        query = select(sync_errors).order_by(sync_errors.c.first_failed_at, sync_errors.c.shopify_id)
        if open_only:
            query = query.where(sync_errors.c.resolved_at.is_(None), sync_errors.c.dismissed_at.is_(None))
        if days is not None:
            query = query.where(sync_errors.c.partition.in_(list(days)))
        if kinds is not None:
            query = query.where(sync_errors.c.kind.in_(list(kinds)))
        return [SyncError.model_validate(row) for row in self._sound(sync_errors, query)]

    def resolve_errors(self, records: Collection[tuple[str, str]]) -> None:
        """Mark failures of records, by kind and Shopify id, as resolved: they turned out to be in Xero as wanted."""
        if not records:
            return
        with self._engine.begin() as connection:
            resolved = {"resolved_at": self._clock.now()}
            update_rows(connection, sync_errors, row_writes.open_errors(connection, records), lambda _: resolved)

    def record_history(self, history: Sequence[HistoryRow]) -> None:
        """Write what a load did for each kind and day; recording the same run, day and kind again replaces it."""
        if not history:
            return
        keys = [column.name for column in sync_history.primary_key]
        same = [sync_history.c[key] == bindparam(f"old_{key}") for key in keys]
        with self._engine.begin() as connection:
            earlier = [{f"old_{key}": getattr(row, key) for key in keys} for row in history]
            connection.execute(delete(sync_history).where(*same), earlier)
            connection.execute(insert(sync_history), [with_checksum(row.model_dump()) for row in history])

    def history(self, run_id: str | None = None, days: Collection[date] | None = None) -> list[HistoryRow]:
        """Return what loads did, oldest first: all, or those of one run, or of some days."""
        query = select(sync_history).order_by(sync_history.c.finished_at, sync_history.c.partition, sync_history.c.kind)
        if run_id is not None:
            query = query.where(sync_history.c.run_id == run_id)
        if days is not None:
            query = query.where(sync_history.c.partition.in_(list(days)))
        return [HistoryRow.model_validate(row) for row in self._sound(sync_history, query)]

    def unfinished_days(self) -> set[date]:
        """Return days with writes still planned, under way or unclear, or with failures worth trying again."""
        waiting = select(operation.c.partition).where(operation.c.state.in_(NOT_YET_WRITTEN))
        failed = select(sync_errors.c.partition).where(
            sync_errors.c.retryable, sync_errors.c.resolved_at.is_(None), sync_errors.c.dismissed_at.is_(None)
        )
        with self._engine.begin() as connection:
            return {*connection.scalars(waiting), *connection.scalars(failed)}

    # -- mirror of Xero ------------------------------------------------------------------------------------------------

    def mirror(self, kind: str, natural_keys: Collection[str] | None = None) -> list[MirrorRecord]:
        """Return what Xero last showed of one kind: everything, or all that stands under these natural keys."""
        found = self._select(xero_mirror, kind, xero_mirror.c.natural_key, natural_keys)
        return [MirrorRecord.model_validate(row) for row in found]

    def mirror_by_reference(self, kind: str, references: Collection[str]) -> list[MirrorRecord]:
        """Return what Xero last showed of one kind that bears one of these references."""
        found = self._select(xero_mirror, kind, xero_mirror.c.reference, references)
        return [MirrorRecord.model_validate(row) for row in found]

    def mirror_by_xero_id(self, kind: str, xero_ids: Collection[str]) -> dict[str, MirrorRecord]:
        """Return what Xero last showed under these Xero ids."""
        found = self._select(xero_mirror, kind, xero_mirror.c.xero_id, xero_ids)
        return {row["xero_id"]: MirrorRecord.model_validate(row) for row in found}

    def unmapped_mirror(self, kinds: Collection[str]) -> list[MirrorRecord]:
        """Return what Xero last showed of these kinds and the mapping does not know, people's own records among it."""
        mirror, mapping = xero_mirror, entity_mapping
        same = (mirror.c.kind == mapping.c.kind) & (mirror.c.xero_id == mapping.c.xero_id)
        unknown = (mirror.c.kind.in_(kinds), mapping.c.kind.is_(None))
        query = select(mirror).outerjoin(mapping, same).where(*unknown).order_by(*mirror.primary_key)
        return [MirrorRecord.model_validate(row) for row in self._sound(mirror, query)]

    def update_mirror(
        self,
        kind: str,
        records: Sequence[MirrorRecord],
        swept_at: datetime | None,
        *,
        watermark: datetime | None = None,
        gone_before: datetime | None = None,
        carried: Sequence[MirrorRecord] = (),
    ) -> None:
        """Write what Xero shows now.

        Args:
            kind: the kind of all records.
            records: what was read, in reading order; of the same Xero id the last one counts.
            swept_at: when the sweep began that read everything changed since the one before, by our clock; None for
                single records.
            watermark: the same by Xero's clock: what changed until then is read; None where it is not known.
            gone_before: the records are all there are, so that rows not among them are gone in Xero, unless they
                changed after this instant, by Xero's clock; None if there are others.
            carried: the Allocations that these Credit Notes show; others of theirs are gone in Xero.
        """
        with self._engine.begin() as connection:
            if gone_before is not None:
                row_writes.delete_mirror_except(connection, kind, [record.xero_id for record in records], gone_before)
            written = row_writes.write_mirror(connection, records)
            if kind == ALLOCATION_CARRIER:
                row_writes.delete_allocations_of(connection, ALLOCATION_TARGET, written)
                row_writes.write_mirror(connection, [one for one in carried if one.reference in written])
            if swept_at is not None:
                text = watermark.isoformat() if watermark is not None else ""
                row_writes.put_value(connection, f"mirror.{kind}", text, swept_at)

    def mirror_swept_at(self, kind: str) -> datetime | None:
        """Return when the last sweep of a kind began, by our clock, or None if there was none."""
        known = self.get_value(f"mirror.{kind}")
        return known[1] if known else None

    def mirror_watermark(self, kind: str) -> datetime | None:
        """Return up to when the changes of a kind are read, by Xero's clock; None if that is not known."""
        known = self.get_value(f"mirror.{kind}")
        return datetime.fromisoformat(known[0]) if known and known[0] else None

    # -- small texts ---------------------------------------------------------------------------------------------------

    def put_value(self, name: str, text: str) -> None:
        """Keep a small text, such as the organisation's settings, under a name, with the present time."""
        with self._engine.begin() as connection:
            row_writes.put_value(connection, name, text, self._clock.now())

    def put_values(self, texts: Mapping[str, str | None]) -> None:
        """Keep texts under their names in one transaction, with the present time; None deletes what is kept there."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            for name, text in texts.items():
                if text is None:
                    row_writes.delete_value(connection, name)
                else:
                    row_writes.put_value(connection, name, text, now)

    def get_values(self, prefix: str) -> dict[str, str]:
        """Return the texts whose names begin with a word and a blank, by the rest of the name; asked by key range."""
        name, first, after = key_value.c.key, f"{prefix}.", f"{prefix}/"  # "/" is the character after the dot
        found = self._sound(key_value, select(key_value).where(name >= first, name < after).order_by(name))
        return {row["key"].removeprefix(first): row["value"] for row in found}

    def get_value(self, name: str) -> tuple[str, datetime] | None:
        """Return a kept text and when it was kept."""
        found = self._sound(key_value, select(key_value).where(key_value.c.key == name))
        return (found[0]["value"], found[0]["updated_at"]) if found else None

    # -- privacy -------------------------------------------------------------------------------------------------------

    def forget_payloads(self, before: datetime) -> int:
        """Empty the payloads of what was settled before an instant and return how many there were."""
        return privacy.forget_payloads(self._engine, before)

    def redact_contact(self, shopify_id: str, payload: str) -> dict[str, int]:
        """Empty what is kept of a Contact, for good, and return how many rows of which table; see `privacy.py`.

        Raises:
            ContactOnItsWayError: a write of it is under way; nothing was changed.
        """
        with self._engine.begin() as connection:
            return privacy.redact_contact(connection, shopify_id, payload, self._clock.now())

    def note_redaction(self, shopify_id: str, told: Mapping[str, object]) -> None:
        """Write down what became of a redaction; nothing personal may be among it."""
        with self._engine.begin() as connection:
            privacy.write_note(connection, shopify_id, told, self._clock.now())

    def redacted_customers(self) -> dict[str, dict[str, Any]]:
        """Return the notes of all redacted Contacts by Shopify id."""
        with self._engine.begin() as connection:
            return privacy.redacted_customers(connection)

    # ------------------------------------------------------------------------------------------------------------------

    def _select(
        self, table: Table, kind: str, column: Column[Any], values: Collection[str] | None
    ) -> list[dict[str, Any]]:
        if values is None:
            return self._sound(table, select(table).where(table.c.kind == kind).order_by(*table.primary_key))
        query = queries.of_kind(table, column)
        return [row for some in chunks(values) for row in self._sound(table, query, kind=kind, ids=some)]

    def _sound(self, table: Table, query: Select[Any], **given: object) -> list[dict[str, Any]]:
        with self._engine.begin() as connection:
            return read(connection, table, query, **given)


def _first_days(found: Iterable[tuple[str, date]]) -> dict[str, date]:
    """Return the first day of each order."""
    days: dict[str, date] = {}
    for order_id, day in found:
        days[order_id] = min(day, days.get(order_id, day))
    return days


def _opened(url: str, witnesses: Path | None) -> Database:
    """Open a database; a file that is none is a damaged store of ours where a witness of it stands."""
    try:
        return open_database(url)
    except NoDatabaseError:
        path = Path(url.removeprefix("sqlite:///"))
        if url.startswith("sqlite:") and ((witnesses or path.parent) / f"{path.name}{SUFFIX}").exists():
            raise StoreDamagedError("its file cannot be read as a database") from None
        raise
