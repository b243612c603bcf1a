"""The history of a store: copies of posted orders on earlier days, as if each day had been synced and agreed.

Everything is written by functions of the product, so that its tables stay consistent. This module decides on the days,
the numbers, the writes and the requests. `templates.py` makes the rows of an order, `past_days.py` the results of a
day.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import func, select

from shopify_xero_pipeline.pipeline.reconciled_days import summarize_stored_days
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.records import HistoryRow, MappedRecord, MirrorRecord
from shopify_xero_pipeline.state.row_checksums import fetch, put_rows
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.tables import batch, operation
from shopify_xero_pipeline_tests.campaigns.bench.past_days import GIFT_CARDS, Results, stored_texts
from shopify_xero_pipeline_tests.campaigns.bench.templates import Copy, OrderTemplate, PlacedCopy, RecordCopy

FIRST_NUMBER = 10_001
"""The number of the first copy; those of the originals have four digits."""

ROWS_PER_TRANSACTION = 20_000
"""Records that one transaction writes."""


@dataclass
class _Rows:
    """Rows that are not yet written."""

    mapped: list[MappedRecord] = field(default_factory=list)
    mirrored: list[MirrorRecord] = field(default_factory=list)
    operations: list[dict[str, Any]] = field(default_factory=list)
    batches: list[dict[str, Any]] = field(default_factory=list)
    counts: list[HistoryRow] = field(default_factory=list)


class HistoryWriter:
    """Writes the history of a store.

    Args:
        store: a store that a real sync filled.
        templates: the orders of this sync.
        results: the results of these orders.
    """

    def __init__(self, store: StateStore, templates: Sequence[OrderTemplate], results: Results) -> None:
        self._store, self._templates, self._results = store, templates, results
        self._rows = _Rows()
        with store._engine.begin() as connection:
            self._requests = {row["kind"]: row for row in fetch(connection, select(batch))}
            self._operation_id = connection.scalar(select(func.max(operation.c.id))) or 0
            self._batch_id = connection.scalar(select(func.max(batch.c.id))) or 0

    def write(self, count: int, days: Sequence[date]) -> None:
        """Write copies, evenly spread over days.

        Args:
            count: the number of copies.
            days: the earlier days, in order.
        """
        placed = groupby(_place(count, days, self._templates), lambda copy: copy.day)
        copies_by_day = {day: [*copies] for day, copies in placed}
        texts: dict[str, str | None] = {}
        for day in days:
            copies = copies_by_day.get(day, [])
            self._add_day(day, copies)
            texts |= stored_texts(day, copies, self._results)
            if len(self._rows.mapped) >= ROWS_PER_TRANSACTION:
                self._flush()
        self._flush()
        self._continue_ids()
        self._store.put_values(texts)
        summarize_stored_days(self._store, GIFT_CARDS)  # marks the summaries as complete

    def _continue_ids(self) -> None:
        """Let Postgres number the next rows after the written ones; SQLite does so itself."""
        with self._store._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                for table in (batch, operation):
                    sequence = func.pg_get_serial_sequence(table.name, "id")
                    connection.scalar(select(func.setval(sequence, select(func.max(table.c.id)).scalar_subquery())))

    def _add_day(self, day: date, copies: Iterable[PlacedCopy]) -> None:
        """Add the records of a day, those of one kind in one request, and the counts of their load."""
        batch_ids: dict[str, int] = {}
        counts = Counter[str]()
        for placed in copies:
            for record in placed.template.copy(placed.copy):
                kind = record.mapped.kind
                if kind not in batch_ids:
                    batch_ids[kind] = self._add_request(placed, kind)
                self._add_record(record, batch_ids[kind])
                counts[kind] += 1
        self._rows.counts += [_history_row(day, kind, count) for kind, count in counts.items()]

    def _add_request(self, placed: PlacedCopy, kind: str) -> int:
        self._batch_id += 1
        request = self._requests[kind]
        instants = {name: value + placed.copy.shift for name, value in request.items() if isinstance(value, date)}
        key = sha256(f"{placed.day} {kind}".encode()).hexdigest()
        self._rows.batches.append({**request, **instants, "id": self._batch_id, "idempotency_key": key})
        return self._batch_id

    def _add_record(self, record: RecordCopy, batch_id: int) -> None:
        self._operation_id += 1
        self._rows.mapped.append(record.mapped)
        self._rows.mirrored.append(record.mirrored)
        self._rows.operations.append(record.operation | {"id": self._operation_id, "batch_id": batch_id})

    def _flush(self) -> None:
        """Write all added rows."""
        rows, self._rows = self._rows, _Rows()
        with self._store._engine.begin() as connection:
            put_rows(connection, batch, rows.batches)
            put_rows(connection, operation, rows.operations)
            row_writes.write_mapping(connection, rows.mapped, self._store._clock.now())
            row_writes.write_mirror(connection, rows.mirrored)
        self._store.record_history(rows.counts)


def _place(count: int, days: Sequence[date], templates: Sequence[OrderTemplate]) -> Iterator[PlacedCopy]:
    """Yield copies in the order of their days; each round has every original once."""
    for number in range(count):
        round_number, index = divmod(number, len(templates))
        day, template = days[number * len(days) // count], templates[index]
        copy = Copy(round_number + 1, FIRST_NUMBER + number, day - template.day)
        yield PlacedCopy(day, template, copy)


def _history_row(day: date, kind: str, count: int) -> HistoryRow:
    finished_at = datetime.combine(day + timedelta(days=1), time(3), UTC)
    fields = {"run_id": f"run of {day}", "partition": day, "kind": kind, "created": count, "calls": 1}
    return HistoryRow.model_validate(fields | {"duration_ms": 1_000, "finished_at": finished_at})
