"""Orders of which records stand in Xero without an order of the books, and what people decided about the records.

An order is noted when Shopify answers, asked by id, that it has none, or when what Shopify has of it is not to be
posted; the note says when, and goes when the order is wanted again. A decision belongs to the record in Xero and is
kept for good. Which orders are asked for is decided in `pipeline/record_ownership.py`, what follows from it in
`reconciliation/orphans.py`.
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
    """The notes and decisions of a store. Obtained from `StateStore.orphans`; every method is short transactions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def notes(self) -> list[OrphanNote]:
        """Return all notes, by day."""
        with self._engine.begin() as connection:
            return [OrphanNote.model_validate(row) for row in read(connection, orphaned_order, NOTES)]

    def note(self, found: Collection[OrphanNote]) -> None:
        """Write notes, each in place of an earlier one of its order, which keeps the time of the same cause."""
        table = orphaned_order
        for some in chunks(found):
            mine = table.c.order_id.in_([one.order_id for one in some])
            with self._engine.begin() as connection:
                known = {row["order_id"]: row for row in read(connection, table, select(table).where(mine))}
                connection.execute(delete(table).where(mine))
                rows = [{**one.model_dump(), "noted_at": _since(one, known.get(one.order_id))} for one in some]
                connection.execute(insert(table), [with_checksum(row) for row in rows])

    def clear(self, order_ids: Collection[str]) -> None:
        """Delete the notes of orders that are wanted again."""
        for some in chunks(order_ids):
            with self._engine.begin() as connection:
                connection.execute(delete(orphaned_order).where(orphaned_order.c.order_id.in_(some)))

    def keep(self, records: Collection[KeptRecord]) -> None:
        """Write decisions, each in place of an earlier one about its record."""
        for some in chunks(records):
            with self._engine.begin() as connection:
                connection.execute(delete(kept_record).where(kept_record.c.xero_id.in_([one.xero_id for one in some])))
                connection.execute(insert(kept_record), [with_checksum(one.model_dump()) for one in some])

    def release(self, order_ids: Collection[str]) -> int:
        """Take back the decisions about the records of orders; return how many there were."""
        count = 0
        for some in chunks(order_ids):
            with self._engine.begin() as connection:
                count += connection.execute(delete(kept_record).where(kept_record.c.order_id.in_(some))).rowcount
        return count

    def kept_ids(self) -> set[str]:
        """Return the Xero ids of all records that a person decided to keep."""
        with self._engine.begin() as connection:
            return {row["xero_id"] for row in read(connection, kept_record, DECISIONS)}

    def decisions(self, order_ids: Collection[str]) -> dict[str, KeptRecord]:
        """Return what was decided about records of orders, by Xero id."""
        found = []
        for some in chunks(order_ids):
            with self._engine.begin() as connection:
                found += read(connection, kept_record, DECISIONS.where(kept_record.c.order_id.in_(some)))
        return {row["xero_id"]: KeptRecord.model_validate(row) for row in found}


def _since(new: OrphanNote, known: dict[str, object] | None) -> object:
    """Return since when an order has been an orphan for its cause."""
    return known["noted_at"] if known is not None and known["cause"] == new.cause else new.noted_at
