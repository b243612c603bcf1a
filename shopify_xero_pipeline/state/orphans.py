"""Orphaned orders, and people's decisions about their records in Xero.

This module only stores notes and decisions. `pipeline/record_ownership.py` chooses the orders to look up, and
`reconciliation/orphans.py` derives the orphans. A note exists from the time when Shopify has no such order, or when no
rule posts the order, until a plan contains the order again. A decision belongs to a record in Xero and has no end.
"""

from collections.abc import Collection

from sqlalchemy import Engine, delete, insert, select

from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.records import KeptRecord, OrphanNote
from shopify_xero_pipeline.state.row_checksums import read, with_checksum
from shopify_xero_pipeline.state.tables import kept_record, orphaned_order

NOTES = select(orphaned_order).order_by(orphaned_order.c.partition, orphaned_order.c.order_id)
DECISIONS = select(kept_record)


class Orphans:
    """Notes and decisions of a store; see `StateStore.orphans`. Each method uses short transactions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def notes(self) -> list[OrphanNote]:
        """Return all notes, by day and order id."""
        with self._engine.begin() as connection:
            return [OrphanNote.model_validate(row) for row in read(connection, orphaned_order, NOTES)]

    def note(self, notes: Collection[OrphanNote]) -> None:
        """Store notes, one for each order. A note with the same cause as the stored one keeps its `noted_at`.

        Args:
            notes: the notes, at most one for each order.
        """
        table = orphaned_order
        for chunk in chunks(notes):
            same = table.c.order_id.in_([note.order_id for note in chunk])
            with self._engine.begin() as connection:
                earlier = {row["order_id"]: row for row in read(connection, table, select(table).where(same))}
                connection.execute(delete(table).where(same))
                rows = [
                    {**note.model_dump(), "noted_at": _noted_at(note, earlier.get(note.order_id))} for note in chunk
                ]
                connection.execute(insert(table), [with_checksum(row) for row in rows])

    def clear(self, order_ids: Collection[str]) -> None:
        """Delete the notes of orders that a plan contains again.

        Args:
            order_ids: Shopify ids of the orders.
        """
        for chunk in chunks(order_ids):
            with self._engine.begin() as connection:
                connection.execute(delete(orphaned_order).where(orphaned_order.c.order_id.in_(chunk)))

    def keep(self, records: Collection[KeptRecord]) -> None:
        """Store decisions, one for each record in Xero; a decision replaces an earlier one.

        Args:
            records: the decisions, at most one for each record.
        """
        for chunk in chunks(records):
            same = kept_record.c.xero_id.in_([record.xero_id for record in chunk])
            with self._engine.begin() as connection:
                connection.execute(delete(kept_record).where(same))
                connection.execute(insert(kept_record), [with_checksum(record.model_dump()) for record in chunk])

    def release(self, order_ids: Collection[str]) -> int:
        """Delete the decisions about the records of orders; return their number.

        Args:
            order_ids: Shopify ids of the orders.
        """
        count = 0
        for chunk in chunks(order_ids):
            with self._engine.begin() as connection:
                count += connection.execute(delete(kept_record).where(kept_record.c.order_id.in_(chunk))).rowcount
        return count

    def kept_ids(self) -> set[str]:
        """Return the Xero ids of all records about which a person decided."""
        with self._engine.begin() as connection:
            return {row["xero_id"] for row in read(connection, kept_record, DECISIONS)}

    def decisions(self, order_ids: Collection[str]) -> dict[str, KeptRecord]:
        """Return the decisions about the records of orders, by Xero id.

        Args:
            order_ids: Shopify ids of the orders.
        """
        rows = []
        for chunk in chunks(order_ids):
            with self._engine.begin() as connection:
                rows += read(connection, kept_record, DECISIONS.where(kept_record.c.order_id.in_(chunk)))
        return {row["xero_id"]: KeptRecord.model_validate(row) for row in rows}


def _noted_at(note: OrphanNote, earlier: dict[str, object] | None) -> object:
    """Return since when an order has been an orphan for its cause."""
    return earlier["noted_at"] if earlier is not None and earlier["cause"] == note.cause else note.noted_at
