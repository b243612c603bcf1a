"""State store with mapping, failures, history, mirror and small texts; the database interface of the other rooms.

This module only contains reads and plain writes; the exactly-once journal is in `journal.py`. Each method uses short
transactions. No transaction is open during a network call.
"""

import os
import platform
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, delete, insert, or_, select, true

from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.state import database_errors, queries, record_keys, row_writes, verification
from shopify_xero_pipeline.state.api_calls import SharedCalls
from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import Database, open_database
from shopify_xero_pipeline.state.database_errors import NoDatabaseError, StoreDamagedError
from shopify_xero_pipeline.state.failed_records import FailedRecords
from shopify_xero_pipeline.state.invariants import InvariantResult, check_invariants
from shopify_xero_pipeline.state.journal import Journal
from shopify_xero_pipeline.state.key_rows import UNMAPPED_BY_KEY, UNMAPPED_IN_RANGE, read_by_key
from shopify_xero_pipeline.state.migrations import MIGRATIONS, migrate
from shopify_xero_pipeline.state.orphans import Orphans
from shopify_xero_pipeline.state.privacy import Privacy
from shopify_xero_pipeline.state.queries import chunks, one_of, with_prefix
from shopify_xero_pipeline.state.records import (
    NOT_YET_WRITTEN,
    FrozenRecord,
    HistoryRow,
    MappedRecord,
    MirrorRecord,
    SyncError,
)
from shopify_xero_pipeline.state.row_checksums import (
    M,
    fetch,
    put_rows,
    read,
    read_models,
    update_rows,
)
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

ALLOCATION_CARRIER, ALLOCATION_TARGET = "credit_note", "allocation"
LOCK_SECONDS = 10
SCHEMA = str(len(MIGRATIONS) + 1)
"""The present schema version."""

VERIFIED_KEY = "store.verified"
"""The key of the schema version of the last complete verification."""

VERIFICATION_INTERVAL = timedelta(days=2)
"""Longest time between complete verifications; the job `mapping_checks` verifies each night."""

"""Time to wait for the lock of the watermark file."""


class StateStore:
    """Mapping, journal, failed records, history and mirror in one database.

    Args:
        url: `sqlite:///path/to/state.db`, created with its folder and readable by its owner only, or
            `postgresql://user:password@host/database`, in which the tables are created.
        clock: stamps the rows.
        watermark_folder: the folder of the watermark files (`send_watermark.py`); by default the folder of an SQLite
            file, and none for Postgres.

    Raises:
        StoreUrlError: the URL is invalid, or its database cannot be used as a state store.
        StoreBusyError: another process locks the store.
        StoreTooNewError: a newer version of this project wrote the store.
        StoreDamagedError: a quick check fails.
    """

    def __init__(self, url: str, clock: Clock, watermark_folder: Path | None = None) -> None:
        self._database = _open(url, watermark_folder)
        self.name = self._database.name  # the URL for messages, without a password
        self._clock = clock
        self._engine = self._database.engine
        database_errors.install_error_translation(self._engine, self.name)
        try:
            with self._engine.begin():
                pass  # compares the file with its mark
            if self._is_suspect:
                verification.quick_check(self._engine)
            migrate(self._engine)
            file = self._watermark_file(watermark_folder)
            self.send_watermark = SendWatermark(self._engine, file, needed=self._database.is_file)
        except BaseException:
            self.close()
            raise
        self.retry_queue = FailedRecords(self._engine, clock)
        self.calls = SharedCalls(self._engine, clock)
        self.hints = WebhookHints(self._engine, clock)
        self.orphans = Orphans(self._engine)
        self.privacy = Privacy(self._engine, clock)
        owner = f"process {os.getpid()} on {platform.node()}"
        self.journal = Journal(self._engine, clock, owner, self.send_watermark)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def verify(self) -> None:
        """Verify all stored rows.

        Raises:
            StoreDamagedError: the store is damaged.
        """
        verification.verify(self._engine)
        if self._database.mark is not None:
            self._database.mark.trust()
        self.put_value(VERIFIED_KEY, SCHEMA)

    @property
    def _is_suspect(self) -> bool:
        """Whether something other than this project changed the store's file; a store on a server has no file."""
        return self._database.mark is not None and not self._database.mark.is_trusted

    def verify_if_due(self) -> None:
        """Verify all stored rows before a load, if it is due.

        It is due if something other than this project changed the file, if the schema is new, or after
        `VERIFICATION_INTERVAL`.

        Raises:
            StoreDamagedError: the store is damaged.
        """
        schema, at = self.get_value(VERIFIED_KEY) or ("", self._clock.now())
        is_recent_verification = is_recent(at, self._clock.now(), VERIFICATION_INTERVAL)
        if self._is_suspect or schema != SCHEMA or not is_recent_verification:
            self.verify()

    def import_rows(self, rows_by_table: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Insert the rows of a quarantined store whose keys this store does not have.

        Args:
            rows_by_table: rows by table name, each with values by column name.
        """
        for name, rows in rows_by_table.items():
            table = metadata.tables[name]
            (key,) = table.primary_key
            with self._engine.begin() as connection:
                present = {*connection.scalars(select(key))}
                if new := [dict(row) for row in rows if row[key.name] not in present]:
                    connection.execute(insert(table), new)

    def _watermark_file(self, folder: Path | None) -> WatermarkFile:
        url, lock = self._engine.url, partial(self._database.lock, "witness", LOCK_SECONDS)
        if self._database.is_file:
            path = Path(str(url.database))
            return WatermarkFile(folder or path.parent, path.name, "", lock)
        location = f"{url.host} {url.port} {url.database} {url.query.get('options', '')}"
        return WatermarkFile(folder, f"postgres-{digest(location)[:12]}", digest(platform.node())[:12], lock)

    def tokens(self, name: str, keys: str) -> TokenStore:
        """Return the OAuth tokens of an app; see `TokenStore`.

        Raises:
            TokenKeyError: `keys` contains an invalid key.
        """
        return TokenStore(self._database, name, keys, self._clock)

    def invariants(self) -> list[InvariantResult]:
        """Return the result of each invariant check."""
        return check_invariants(self._engine, self._clock.now())

    def metrics(self) -> StoreMetrics:
        """Return counts and times for monitoring."""
        return read_metrics(self._engine, self._clock.now())

    # -- mapping -------------------------------------------------------------------------------------------------------

    def mapped(self, kind: str, shopify_ids: Collection[str] | None = None) -> dict[str, MappedRecord]:
        """Return mapping rows of one kind by Shopify id.

        Args:
            kind: the kind of the records.
            shopify_ids: their Shopify ids; unmapped ids are left out. None for all records.
        """
        rows = self._select(MappedRecord, kind, entity_mapping, entity_mapping.c.shopify_id, shopify_ids)
        return {row.shopify_id: row for row in rows}

    def ids_by_xero_id(self, kind: str, xero_ids: Collection[str]) -> dict[str, str]:
        """Return the Shopify ids of mapped Xero ids, by Xero id.

        Args:
            kind: the kind of the records.
            xero_ids: their Xero ids.
        """
        return {xero_id: row.shopify_id for xero_id, row in self.mapped_by_xero_id(kind, xero_ids).items()}

    def mapped_by_xero_id(self, kind: str, xero_ids: Collection[str]) -> dict[str, MappedRecord]:
        """Return the mapping rows of Xero ids, by Xero id; unmapped ids are left out.

        Args:
            kind: the kind of the records.
            xero_ids: their Xero ids.
        """
        rows = self._select(MappedRecord, kind, entity_mapping, entity_mapping.c.xero_id, xero_ids)
        return {row.xero_id: row for row in rows}

    def mapped_by_key(self, kind: str, keys: Collection[str]) -> list[MappedRecord]:
        """Return the mapping rows of a kind that have one of some keys.

        Args:
            kind: the kind of the records.
            keys: keys of `record_keys.py`.
        """
        return self._select_by_key(MappedRecord, entity_mapping, kind, keys)

    def ids_by_natural_key(self, kind: str, natural_keys: Collection[str]) -> dict[str, str]:
        """Return the Shopify ids of mapped natural keys, by natural key.

        Args:
            kind: the kind of the records.
            natural_keys: their natural keys.
        """
        rows = self.mapped_by_key(kind, {record_keys.number_key(natural_key) for natural_key in natural_keys})
        return {row.natural_key: row.shopify_id for row in rows if row.natural_key in natural_keys}

    def mapped_of_orders(self, order_ids: Collection[str]) -> list[MappedRecord]:
        """Return the mapping rows of every document, payment and allocation of orders, in the order of posting.

        Args:
            order_ids: Shopify ids of the orders.
        """
        records = read_models(self._engine, MappedRecord, queries.MAPPED_OF_ORDERS, ids=order_ids)
        return sorted(records, key=lambda record: (record.posted_at, record.natural_key))

    def frozen_of_orders(self, order_ids: Collection[str]) -> list[FrozenRecord]:
        """Return the records of orders that must not change because the journal contains an open write of them.

        A document is frozen from the first plan on, with its number and date; a payment or an allocation from the time
        when it may be in Xero. Records that Xero rejected are left out.

        Args:
            order_ids: Shopify ids of the orders.
        """
        return read_models(self._engine, FrozenRecord, queries.FROZEN_OF_ORDERS, ids=order_ids)

    def order_ids(self, name: str) -> set[str]:
        """Return the ids of the orders with this name, this Shopify id or a document of this number."""
        posted, planned = entity_mapping.c, operation.c
        among_posted = or_(posted.natural_key == name, posted.order_id == name)
        among_planned = or_(planned.natural_key == name, planned.order_id == name, planned.order_name == name)
        with self._engine.begin() as connection:
            order_ids = [
                *connection.scalars(select(posted.order_id).where(among_posted)),
                *connection.scalars(select(planned.order_id).where(among_planned)),
            ]
        return {order_id for order_id in order_ids if order_id is not None}

    def orders_of_days(self, days: Collection[date]) -> dict[str, date]:
        """Return the orders with a record mapped to one of these days, with the first such day by order id.

        Args:
            days: days in the shop's time zone.
        """
        mapped = self._order_days(queries.ORDER_DAYS.where(one_of(entity_mapping.c.partition)), days)
        return {order_id: min(order_days) for order_id, order_days in mapped.items()}

    def days_posted_since(self, instants: Mapping[date, datetime | None]) -> set[date]:
        """Return the days with a record that was posted after the instant of the day.

        Args:
            instants: an instant of each day, in UTC; without one, any record counts, as it does on all other days.
        """
        if not instants:
            return {*self._days_posted(true())}
        partition, posted_at = entity_mapping.c.partition, entity_mapping.c.posted_at
        conditions = [partition < min(instants), partition > max(instants)]
        for chunk in chunks(instants.items(), 100):
            since = [(partition == day) & (true() if at is None else posted_at > at) for day, at in chunk]
            conditions.append(or_(*since))
        return {day for condition in conditions for day in self._days_posted(condition)}

    def _days_posted(self, condition: ColumnElement[bool]) -> Sequence[date]:
        with self._engine.begin() as connection:
            return connection.scalars(select(entity_mapping.c.partition).where(condition).distinct()).all()

    def orders_before(self, day: date) -> set[str]:
        """Return the ids of the orders with a record mapped to an earlier day."""
        return {*self._order_days(queries.DAYS_OF_RECORDS.where(entity_mapping.c.partition < day))}

    def days_of_orders(self, order_ids: Collection[str]) -> dict[str, set[date]]:
        """Return the days of the mapped records of orders, by order id; orders without a record are left out.

        Args:
            order_ids: Shopify ids of the orders.
        """
        return (
            self._order_days(queries.ORDER_DAYS.where(one_of(entity_mapping.c.order_id)), order_ids)
            if order_ids
            else {}
        )

    def assign(self, days: Mapping[str, date]) -> None:
        """Move the mapped records of orders to other days.

        Args:
            days: the new days by order id.
        """
        if not days:
            return
        with self._engine.begin() as connection:
            rows = read(connection, queries.MAPPED_OF_ORDERS, ids=days)
            moved = [row for row in rows if row["partition"] != days[row["order_id"]]]
            update_rows(connection, entity_mapping, moved, lambda row: {"partition": days[row["order_id"]]})

    def _order_days(self, query: Select[Any], ids: Collection[Any] | None = None) -> dict[str, set[date]]:
        days: dict[str, set[date]] = defaultdict(set)
        with self._engine.begin() as connection:
            for row in fetch(connection, query, ids=ids):
                days[row["order_id"]].add(row["partition"])
        return dict(days)

    # -- failures and history ------------------------------------------------------------------------------------------

    def failed_records(
        self, open_only: bool = True, days: Collection[date] | None = None, kinds: Collection[str] | None = None
    ) -> list[SyncError]:
        """Return failed records, oldest failure first.

        Args:
            open_only: leave out resolved and dismissed failures.
            days: the days of the failures; None for all.
            kinds: the kinds of the failures; None for all.
        """
        query = select(sync_errors).order_by(sync_errors.c.first_failed_at, sync_errors.c.shopify_id)
        if open_only:
            query = query.where(sync_errors.c.resolved_at.is_(None), sync_errors.c.dismissed_at.is_(None))
        if days is not None:
            query = query.where(sync_errors.c.partition.in_(list(days)))
        if kinds is not None:
            query = query.where(sync_errors.c.kind.in_(list(kinds)))
        return read_models(self._engine, SyncError, query)

    def record_history(self, history: Sequence[HistoryRow]) -> None:
        """Store the counts of a load, one row for each run, day and kind; a row replaces an earlier one.

        Args:
            history: the rows, at most one for each run, day and kind.
        """
        if not history:
            return
        with self._engine.begin() as connection:
            put_rows(connection, sync_history, [row.model_dump() for row in history])

    def history(self, run_id: str | None = None, days: Collection[date] | None = None) -> list[HistoryRow]:
        """Return the counts of loads, oldest first.

        Args:
            run_id: the run; None for all.
            days: the days; None for all.
        """
        query = select(sync_history).order_by(sync_history.c.finished_at, sync_history.c.partition, sync_history.c.kind)
        if run_id is not None:
            query = query.where(sync_history.c.run_id == run_id)
        if days is not None:
            query = query.where(sync_history.c.partition.in_(list(days)))
        return read_models(self._engine, HistoryRow, query)

    def unfinished_days(self) -> set[date]:
        """Return the days with an open write that needs no review, or with an open transient failure."""
        waiting = select(operation.c.partition).where(operation.c.state.in_(NOT_YET_WRITTEN))
        failed = select(sync_errors.c.partition).where(
            sync_errors.c.retryable, sync_errors.c.resolved_at.is_(None), sync_errors.c.dismissed_at.is_(None)
        )
        with self._engine.begin() as connection:
            return {*connection.scalars(waiting), *connection.scalars(failed)}

    # -- mirror of Xero ------------------------------------------------------------------------------------------------

    def mirror(self, kind: str, natural_keys: Collection[str] | None = None) -> list[MirrorRecord]:
        """Return the mirrored records of one kind.

        Args:
            kind: the kind of the records.
            natural_keys: their natural keys; None for all.
        """
        return self._select(MirrorRecord, kind, xero_mirror, xero_mirror.c.natural_key, natural_keys)

    def mirror_by_key(self, kind: str, keys: Collection[str]) -> list[MirrorRecord]:
        """Return the mirrored records of a kind that have one of some keys.

        Args:
            kind: the kind of the records.
            keys: keys of `record_keys.py`.
        """
        return self._select_by_key(MirrorRecord, xero_mirror, kind, keys)

    def mirror_by_reference(self, kind: str, references: Collection[str]) -> list[MirrorRecord]:
        """Return the mirrored records of one kind with one of these references.

        Args:
            kind: the kind of the records.
            references: their references.
        """
        return self._select(MirrorRecord, kind, xero_mirror, xero_mirror.c.reference, references)

    def mirror_by_xero_id(self, kind: str, xero_ids: Collection[str]) -> dict[str, MirrorRecord]:
        """Return the mirrored records of one kind, by Xero id.

        Args:
            kind: the kind of the records.
            xero_ids: their Xero ids.
        """
        rows = self._select(MirrorRecord, kind, xero_mirror, xero_mirror.c.xero_id, xero_ids)
        return {row.xero_id: row for row in rows}

    def unmapped_mirror(self, kinds: Collection[str]) -> list[MirrorRecord]:
        """Return the mirrored records of these kinds that are not mapped, people's own records included.

        Args:
            kinds: the kinds of the records.
        """
        mirror, mapping = xero_mirror, entity_mapping
        same = (mirror.c.kind == mapping.c.kind) & (mirror.c.xero_id == mapping.c.xero_id)
        unmapped = (mirror.c.kind.in_(kinds), mapping.c.kind.is_(None))
        query = select(mirror).outerjoin(mapping, same).where(*unmapped).order_by(*mirror.primary_key)
        return read_models(self._engine, MirrorRecord, query)

    def unmapped_by_key(self, kind: str, keys: Collection[str]) -> list[MirrorRecord]:
        """Return the mirrored records of a kind that have one of some keys and are not mapped.

        Args:
            kind: the kind of the records.
            keys: keys of `record_keys.py`.
        """
        return self._select_by_key(MirrorRecord, xero_mirror, kind, keys, UNMAPPED_BY_KEY)

    def unmapped_between(self, kind: str, first: str, after: str) -> list[MirrorRecord]:
        """Return the mirrored records of a kind that are not mapped and have a key in a range.

        Args:
            kind: the kind of the records.
            first: the first key of the range, as in `record_keys.py`.
            after: the end of the range, which is not in it.
        """
        return read_models(self._engine, MirrorRecord, UNMAPPED_IN_RANGE, kind=kind, first=first, after=after)

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
        """Store records as read from Xero.

        Args:
            kind: the kind of all records.
            records: the records in reading order; the last of several records with one Xero id counts.
            swept_at: the start of the sweep of all changes since the previous one, by our clock; None for single
                records.
            watermark: the start of the sweep by Xero's clock, up to which all changes are read; None if unknown.
            gone_before: the time of a complete listing, by Xero's clock: rows that are missing from it and did not
                change later are deleted. None if the listing is incomplete.
            carried: the Allocations in these Credit Notes; other Allocations of the Credit Notes are deleted.
        """
        with self._engine.begin() as connection:
            if gone_before is not None:
                row_writes.delete_mirror_except(connection, kind, [record.xero_id for record in records], gone_before)
            written = row_writes.write_mirror(connection, records)
            if kind == ALLOCATION_CARRIER:
                row_writes.delete_allocations_of(connection, ALLOCATION_TARGET, written)
                row_writes.write_mirror(connection, [record for record in carried if record.reference in written])
            if swept_at is not None:
                text = watermark.isoformat() if watermark is not None else ""
                row_writes.put_value(connection, f"mirror.{kind}", text, swept_at)

    def mirror_swept_at(self, kind: str) -> datetime | None:
        """Return the start of the last sweep of a kind, by our clock; None if there was no sweep."""
        value = self.get_value(f"mirror.{kind}")
        return value[1] if value else None

    def mirror_watermark(self, kind: str) -> datetime | None:
        """Return the instant up to which all changes of a kind are read, by Xero's clock; None if unknown."""
        value = self.get_value(f"mirror.{kind}")
        return datetime.fromisoformat(value[0]) if value and value[0] else None

    # -- small texts ---------------------------------------------------------------------------------------------------

    def put_value(self, name: str, text: str) -> None:
        """Store a small text, such as the organisation's settings, under a key, with the present time."""
        self.put_values({name: text})

    def put_values(self, texts: Mapping[str, str | None]) -> None:
        """Store texts in one transaction, with the present time.

        Args:
            texts: the texts by key; None deletes.
        """
        if not texts:
            return
        now = self._clock.now()
        with self._engine.begin() as connection:
            self._write_values(connection, texts, now)

    def _write_values(self, connection: Connection, texts: Mapping[str, str | None], at: datetime) -> None:
        for name, text in texts.items():
            if text is None:
                connection.execute(delete(key_value).where(key_value.c.key == name))
            else:
                row_writes.put_value(connection, name, text, at)

    def get_values(self, prefix: str) -> dict[str, str]:
        """Return the texts whose keys begin with a prefix and a dot, by the rest of the key."""
        key, first = key_value.c.key, f"{prefix}."
        with self._engine.begin() as connection:
            rows = read(connection, select(key_value).where(with_prefix(key, first)).order_by(key))
        return {row["key"].removeprefix(first): row["value"] for row in rows}

    def names_of_values(self, prefix: str) -> list[str]:
        """Return the keys that begin with a prefix and a dot, without their texts."""
        key = key_value.c.key
        with self._engine.begin() as connection:
            return [*connection.scalars(select(key).where(with_prefix(key, f"{prefix}.")).order_by(key))]

    def derive_values(self, names: Collection[str], derive: Callable[[str], Mapping[str, str | None]]) -> None:
        """Store texts that follow from stored ones, each with the time of its source, in one transaction.

        Args:
            names: the keys of the sources; absent keys are left out.
            derive: returns the texts by key from the text of a source; None deletes.
        """
        with self._engine.begin() as connection:
            for row in read(connection, queries.VALUES, ids=names):
                self._write_values(connection, derive(row["value"]), row["updated_at"])

    def get_value(self, name: str) -> tuple[str, datetime] | None:
        """Return the text of a key and the time when it was stored, in UTC; None if there is none."""
        return self.get_present([name]).get(name)

    def get_present(self, names: Collection[str]) -> dict[str, tuple[str, datetime]]:
        """Return the texts of keys and the times when they were stored, in UTC, by key; absent keys are left out.

        Args:
            names: the keys.
        """
        with self._engine.begin() as connection:
            return {
                row["key"]: (row["value"], row["updated_at"]) for row in read(connection, queries.VALUES, ids=names)
            }

    # ------------------------------------------------------------------------------------------------------------------

    def _select_by_key(
        self, model: type[M], table: Table, kind: str, keys: Collection[str], query: Select[Any] | None = None
    ) -> list[M]:
        """Return the rows of a kind with one of some keys; without keys, no transaction is needed."""
        if not keys:
            return []
        with self._engine.begin() as connection:
            rows = read_by_key(connection, table, kind, keys, query)
        return [model.model_validate(row) for row in rows]

    def _select(
        self, model: type[M], kind: str, table: Table, column: Column[Any], values: Collection[str] | None
    ) -> list[M]:
        """Return the rows of a kind with one of these values in a column, sorted; None for all rows of the kind."""
        query = queries.of_kind(table, None if values is None else column)
        rows = read_models(self._engine, model, query, ids=values, kind=kind)
        _, id_column = table.primary_key
        return sorted(rows, key=lambda row: str(getattr(row, id_column.name)))


def _open(url: str, watermark_folder: Path | None) -> Database:
    """Open a database. A file that is not a database is a damaged store if it has a watermark file."""
    try:
        return open_database(url)
    except NoDatabaseError:
        path = Path(url.removeprefix("sqlite:///"))
        if url.startswith("sqlite:") and ((watermark_folder or path.parent) / f"{path.name}{SUFFIX}").exists():
            raise StoreDamagedError("its file cannot be read as a database") from None
        raise
