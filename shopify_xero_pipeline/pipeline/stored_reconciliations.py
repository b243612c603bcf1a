"""The books as last reconciled: days with their present orphans, disagreements and the statement of a month.

Everything is read from the state store without a call. Lists and months read the summaries and totals of days
(`reconciliation/day_summaries.py`), because they are as large as what is displayed.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from shopify_xero_pipeline.pipeline import day_issues, reconciled_days
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary, DayTotals
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, with_undecided
from shopify_xero_pipeline.reconciliation.gift_cards import (
    NO_ORDER_OUTCOME,
    LiabilityAccount,
    OrderLabel,
    order_of_row,
)
from shopify_xero_pipeline.reconciliation.months import Month, build_month
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.reconciliation.orphans import LISTED, OrphanedOrder
from shopify_xero_pipeline.state.record_keys import account_key
from shopify_xero_pipeline.state.records import MappedRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import RECORD, CreditNote, Invoice


class StoredReconciliations:
    """Reads the last reconciliations.

    Args:
        connections: the connections of the run.
        record_ownership: gives the orphans.
    """

    def __init__(self, connections: Connections, record_ownership: RecordOwnership) -> None:
        self._connections = connections
        self._record_ownership = record_ownership

    def of_days(self, days: Iterable[date]) -> list[DayReconciliation]:
        """Return the last reconciliation of each day.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        return self._record_ownership.with_orphans(reconciled_days.load_reconciliations(self._connections.store, days))

    def each_of(self, days: Sequence[date], before: Sequence[date]) -> Iterator[DayReconciliation]:
        """Yield the last reconciliations of earlier days and of days, in order; after the first of the days one by one.

        Args:
            days: days of the books, in order.
            before: the days before them; those without a reconciliation are omitted.
        """
        yield from self.of_days([*before, *days[:1]])
        for day in days[1:]:
            yield from self.of_days([day])

    def summaries(self, days: Iterable[date]) -> list[DaySummary]:
        """Return the summary of each day's last reconciliation.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        return self._record_ownership.with_orphans(reconciled_days.load_summaries(self._connections.store, days))

    def totals(self, days: Iterable[date]) -> list[DayTotals]:
        """Return the movements and taxes of each day's last reconciliation.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        return reconciled_days.load_totals(self._connections.store, days)

    def disagreements(self) -> list[Disagreement]:
        """Return the days whose last reconciliation disagrees, oldest first, without a read of the other days."""
        store, days = self._connections.store, self._connections.days()
        reconciled_days.summarize_stored_days(store)
        disagreements = day_issues.days_in_disagreement(store).items()
        in_books = {day: disagreement for day, disagreement in disagreements if days[0] <= day <= days[-1]}
        return with_undecided(in_books, self._record_ownership.orphans())

    def month_statement(self, first: date) -> Month:
        """Return the statement of a month, given by its first day."""
        policy, organisation = self._connections.policy, self._connections.cached_organisation()
        days, orphans = self._connections.days(), self._record_ownership.orphans()
        summaries = self.summaries(days)
        return build_month(
            first,
            summaries,
            self.totals(days),
            (days[0], days[-1]),
            self._gift_cards(summaries, orphans, organisation.base_currency if organisation is not None else ""),
            account_names(policy, organisation),
            orphans,
        )

    def _gift_cards(
        self, days: Sequence[DaySummary], orphans: Sequence[OrphanedOrder], base_currency: str
    ) -> LiabilityAccount:
        """Return the records of the gift-card liability in Xero, and the orders of those that are mapped.

        Args:
            days: the summaries of all reconciled days.
            orphans: orphaned orders of all days.
            base_currency: the currency of records without a currency.
        """
        code, store = self._connections.policy.accounts.gift_cards, self._connections.store
        rows = [row for kind in LISTED for row in store.mirror_by_key(kind, {account_key(code)})]
        xero_ids = [row.xero_id for row in rows]
        mapped = {xero_id for kind in LISTED for xero_id in store.ids_by_xero_id(kind, xero_ids)}
        labels = {orphan.order_id: (orphan.order_name, NO_ORDER_OUTCOME) for orphan in orphans}
        listed = {row.order_id: (row.order_name, row.outcome) for day in days for row in day.rows}
        others = {order_of_row(row) for row in rows if row.xero_id in mapped} - listed.keys() - {""}
        return LiabilityAccount(code, rows, mapped, labels | self._posted_orders(others) | listed, base_currency)

    def _posted_orders(self, order_ids: Iterable[str]) -> dict[str, OrderLabel]:
        """Return the labels of orders with mapped records that no summary lists, if they were compared since.

        Such an order agrees if its day was reconciled after its records were posted. Otherwise the day has the answer.

        Args:
            order_ids: Shopify ids of the orders.
        """
        records: dict[str, list[MappedRecord]] = {}
        for row in self._connections.store.mapped_of_orders([*order_ids]):
            records.setdefault(str(row.order_id), []).append(row)
        compared = reconciled_days.last_reconciled_at(
            self._connections.store, {row.partition for rows in records.values() for row in rows}
        )
        in_books = {*self._connections.days()}
        labels, days_to_read = dict[str, OrderLabel](), set[date]()
        for order_id, rows in records.items():
            days = {row.partition for row in rows}
            name = next(_order_names(rows), "")
            is_compared = all(row.posted_at <= compared[row.partition] for row in rows if row.partition in compared)
            if name and is_compared and days <= compared.keys() & in_books:
                labels[order_id] = (name, "posted")
            else:
                days_to_read |= days & in_books
        rows_to_read = (row for day in self.of_days(sorted(days_to_read)) for row in day.rows)
        return {row.order_id: (row.order_name, row.outcome) for row in rows_to_read if row.order_id in records} | labels


def _order_names(rows: Iterable[MappedRecord]) -> Iterator[str]:
    """Yield the names of an order in the references of its documents."""
    for row in rows:
        record = RECORD.validate_json(row.payload)
        if isinstance(record, Invoice | CreditNote):
            yield references.order_name(record.reference)
