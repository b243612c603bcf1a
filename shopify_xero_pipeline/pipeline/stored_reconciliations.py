"""The books as last reconciled: days with their present orphans, disagreements and the statement of a month.

Everything is read from the state store without a call. Lists and months read the summaries and totals of days
(`reconciliation/day_summaries.py`), because they are as large as what is displayed.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import partial

from shopify_xero_pipeline.pipeline import day_issues, reconciled_days
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.plan_inputs import PlanInputs
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary, DayTotals
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, with_undecided
from shopify_xero_pipeline.reconciliation.gift_cards import NO_ORDER_OUTCOME, LiabilityAccount, OrderLabel
from shopify_xero_pipeline.reconciliation.months import Month, build_month
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.reconciliation.orphans import LISTED, OrphanedOrder
from shopify_xero_pipeline.reconciliation.rollup import group_by
from shopify_xero_pipeline.state.record_keys import account_key, account_range
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import RECORD, CreditNote, Invoice, Kind


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
        summaries = reconciled_days.load_summaries(self._connections.store, days, self._gift_card_account)
        return self._record_ownership.with_orphans(summaries)

    def totals(self, days: Iterable[date]) -> list[DayTotals]:
        """Return the movements and taxes of each day's last reconciliation.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        return reconciled_days.load_totals(self._connections.store, days, self._gift_card_account)

    def disagreements(self) -> list[Disagreement]:
        """Return the days whose last reconciliation disagrees, oldest first, without a read of the other days."""
        store, days = self._connections.store, self._connections.days()
        reconciled_days.summarize_stored_days(store, self._gift_card_account)
        disagreements = day_issues.days_in_disagreement(store).items()
        in_books = {day: disagreement for day, disagreement in disagreements if days[0] <= day <= days[-1]}
        return with_undecided(in_books, self._record_ownership.orphans())

    def month_statement(self, first: date) -> Month:
        """Return the statement of a month, given by its first day."""
        policy, organisation = self._connections.policy, self._connections.cached_organisation()
        days, orphans = self._connections.days(), self._record_ownership.orphans()
        base_currency = organisation.base_currency if organisation is not None else ""
        summaries, totals = self.summaries(days), self.totals(days)
        return build_month(
            first,
            summaries,
            totals,
            (days[0], days[-1]),
            self._gift_cards(summaries, totals, orphans, base_currency),
            account_names(policy, organisation),
            orphans,
        )

    @property
    def _gift_card_account(self) -> str:
        return self._connections.policy.accounts.gift_cards

    def _gift_cards(
        self,
        days: Sequence[DaySummary],
        totals: Iterable[DayTotals],
        orphans: Sequence[OrphanedOrder],
        base_currency: str,
    ) -> LiabilityAccount:
        """Return the gift-card liability in Xero.

        Its records are read one by one if they are not mapped, if their order is not posted, and on days with records
        that were posted since the comparison. The other days have their changes as compared.

        Args:
            days: the summaries of all reconciled days.
            totals: the totals of these days.
            orphans: orphaned orders of all days.
            base_currency: the currency of records without a currency.
        """
        code, store = self._gift_card_account, self._connections.store
        changed = self._changed_days() | {orphan.day for orphan in orphans}
        orders = self._listed_orders(days, orphans, changed)
        mapped = store.mapped_of_orders({*orders, *store.orders_of_days(changed)})
        mirrored = [row for rows in PlanInputs(store).mirror_of_orders(mapped, ()).values() for row in rows]
        unmapped = [row for kind in LISTED for row in store.unmapped_between(kind, *account_range(code))]
        return LiabilityAccount(
            code=code,
            base_currency=base_currency,
            compared=[change for day in totals if day.day not in changed for change in day.card_changes],
            mirror=sorted([*mirrored, *unmapped], key=lambda row: (LISTED.index(Kind(row.kind)), row.xero_id)),
            mapped={row.xero_id for row in mapped},
            orders=orders,
            posted_on=partial(self._named_records, code),
        )

    def _changed_days(self) -> set[date]:
        """Return the days with records that were posted after the last reconciliation of the day, or without any."""
        books = self._connections.days()
        compared = reconciled_days.last_reconciled_at(self._connections.store, books)
        return self._connections.store.days_posted_since({day: compared.get(day) for day in books})

    def _listed_orders(
        self, days: Iterable[DaySummary], orphans: Iterable[OrphanedOrder], changed: Collection[date]
    ) -> dict[str, OrderLabel]:
        """Return the labels of the orders whose records are read one by one, by order id.

        Args:
            days: the summaries of all reconciled days.
            orphans: orphaned orders of all days.
            changed: the days of which all orders are read.
        """
        labels = {orphan.order_id: (orphan.order_name, NO_ORDER_OUTCOME) for orphan in orphans}
        whole = self.of_days(sorted({*changed} & {*self._connections.days()}))
        labels |= {row.order_id: (row.order_name, row.outcome) for day in whole for row in day.rows}
        unposted = (row for day in days for row in day.rows if row.outcome != "posted")
        return labels | {row.order_id: (row.order_name, row.outcome) for row in unposted}

    def _named_records(self, code: str, day: date) -> list[tuple[str, MirrorRecord]]:
        """Return the mapped records that use an account on a date, each with the name of its order.

        Args:
            code: the code of the account.
            day: the date of the documents and Payments.
        """
        store = self._connections.store
        rows = [row for kind in LISTED for row in store.mirror_by_key(kind, {account_key(code, day)})]
        xero_ids = [row.xero_id for row in rows]
        mapped = {key: row for kind in LISTED for key, row in store.mapped_by_xero_id(kind, xero_ids).items()}
        records = store.mapped_of_orders({row.order_id for row in mapped.values() if row.order_id})
        by_order = group_by((row.order_id, row) for row in records)
        names = {order_id: next(_order_names(own), order_id or "") for order_id, own in by_order.items()}
        return [(names[mapped[row.xero_id].order_id], row) for row in rows if row.xero_id in mapped]


def _order_names(rows: Iterable[MappedRecord]) -> Iterator[str]:
    """Yield the names of an order in the references of its documents."""
    for row in rows:
        record = RECORD.validate_json(row.payload)
        if isinstance(record, Invoice | CreditNote):
            yield references.order_name(record.reference)
