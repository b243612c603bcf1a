"""Orphaned orders, and people's decisions about their records in Xero.

This module only stores notes and decisions. `pipeline/record_ownership.py` chooses the orders to look up, and
`reconciliation/orphans.py` derives the orphans. A note exists from the time when Shopify has no such order, or when no
rule posts the order, until a plan contains the order again. A decision belongs to a record in Xero and has no end.
"""

from collections.abc import Collection

from sqlalchemy import Engine, delete, select

from shopify_xero_pipeline.state.queries import chunks, one_of
from shopify_xero_pipeline.state.records import KeptRecord, OrphanNote
from shopify_xero_pipeline.state.row_checksums import put_rows, read, read_models
from shopify_xero_pipeline.state.tables import kept_record, orphaned_order

NOTES = select(orphaned_order).order_by(orphaned_order.c.partition, orphaned_order.c.order_id)
DECISIONS = select(kept_record)


class Orphans:
    """Notes and decisions of a store; see `StateStore.orphans`. Each method uses short transactions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def notes(self) -> list[OrphanNote]:
        """Return all notes, by day and order id."""
        return read_models(self._engine, OrphanNote, NOTES)

    def note(self, notes: Collection[OrphanNote]) -> None:
        """Store notes, one for each order. A note with the same cause as the stored one keeps its `noted_at`.

        Args:
            notes: the notes, at most one for each order.
        """
        if not notes:
            return
        with self._engine.begin() as connection:
            rows = read(connection, NOTES.where(one_of(orphaned_order.c.order_id)), ids=[n.order_id for n in notes])
            noted_at = {(row["order_id"], row["cause"]): row["noted_at"] for row in rows}
            since = [noted_at.get((note.order_id, note.cause), note.noted_at) for note in notes]
            pairs = zip(notes, since, strict=True)
            put_rows(connection, orphaned_order, [{**note.model_dump(), "noted_at": at} for note, at in pairs])

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
        with self._engine.begin() as connection:
            put_rows(connection, kept_record, [record.model_dump() for record in records])

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
        return {record.xero_id for record in read_models(self._engine, KeptRecord, DECISIONS)}

    def decisions(self, order_ids: Collection[str]) -> dict[str, KeptRecord]:
        """Return the decisions about the records of orders, by Xero id.

        Args:
            order_ids: Shopify ids of the orders.
        """
        query = DECISIONS.where(one_of(kept_record.c.order_id))
        return {record.xero_id: record for record in read_models(self._engine, KeptRecord, query, ids=order_ids)}
