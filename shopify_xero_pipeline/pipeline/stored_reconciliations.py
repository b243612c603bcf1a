"""The books as last reconciled: days with their present orphans, disagreements and the statement of a month.

Everything is read from the state store without a call.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from shopify_xero_pipeline.pipeline import day_issues, reconciled_days
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, with_undecided
from shopify_xero_pipeline.reconciliation.gift_cards import LiabilityAccount
from shopify_xero_pipeline.reconciliation.months import Month, build_month
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.reconciliation.orphans import LISTED

DISAGREEMENTS_STORED_KEY = "disagreements.stored"


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

    def disagreements(self) -> list[Disagreement]:
        """Return the days whose last reconciliation disagrees, oldest first, without a read of the other days.

        The first call on a store of an earlier version reads all days once, because it has no summaries.
        """
        store, days = self._connections.store, self._connections.days()
        if store.get_value(DISAGREEMENTS_STORED_KEY) is None:
            summaries = {key: text for day in self.of_days(days) for key, text in day_issues.issue_entry(day).items()}
            store.put_values({**summaries, DISAGREEMENTS_STORED_KEY: "yes"})
        disagreements = day_issues.days_in_disagreement(store).items()
        in_books = {day: disagreement for day, disagreement in disagreements if days[0] <= day <= days[-1]}
        return with_undecided(in_books, self._record_ownership.orphans())

    def month_statement(self, first: date) -> Month:
        """Return the statement of a month, given by its first day."""
        policy, organisation = self._connections.policy, self._connections.cached_organisation()
        days = self._connections.days()
        return build_month(
            first,
            self.of_days(days),
            (days[0], days[-1]),
            self._gift_cards(organisation.base_currency if organisation is not None else ""),
            account_names(policy, organisation),
            self._record_ownership.orphans(),
        )

    def _gift_cards(self, base_currency: str) -> LiabilityAccount:
        """Return the records of the gift-card liability in Xero, preselected by the account code in their payload."""
        code, store = self._connections.policy.accounts.gift_cards, self._connections.store
        rows = [row for kind in LISTED for row in store.mirror(kind) if f'"{code}"' in row.payload]
        xero_ids = [row.xero_id for row in rows]
        mapped = {xero_id for kind in LISTED for xero_id in store.ids_by_xero_id(kind, xero_ids)}
        return LiabilityAccount(code, rows, mapped, base_currency)
