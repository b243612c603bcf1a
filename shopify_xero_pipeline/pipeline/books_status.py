"""The state of the books, read from local files without a call.

This module only collects reconciled days, failed records, conflicts and unfinished work, and gives the verdict on all
of them. The verdict on a day is in `reconciliation/verdict.py`; `cli/output.py` prints it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from shopify_xero_pipeline.changes.unwritten_records import HeldLines, conflict_lines
from shopify_xero_pipeline.pipeline import conflicts, day_issues
from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import DaySummary
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings
from shopify_xero_pipeline.reconciliation.verdict import (
    Agreement,
    Standing,
    count_of,
    refused_records,
    sum_agreements,
    undecided_orders,
    worst_standing,
)
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.state.webhook_hints import WebhookHint


@dataclass(frozen=True)
class BooksStatus:
    """The state of the books.

    Attributes:
        days: the summary of each day's last reconciliation.
        failed: records that could not be written, without dismissed ones.
        unfinished: days with pending writes.
        held: lines of the last plans that write nothing although the books want a record, by day.
        orphans: orders whose records are or were in Xero although no order of the books wants them.
        requests: privacy requests.
    """

    days: Sequence[DaySummary]
    failed: Sequence[SyncError]
    unfinished: Sequence[date]
    held: HeldLines
    orphans: Sequence[OrphanedOrder]
    requests: Sequence[WebhookHint]

    @cached_property
    def agreement(self) -> Agreement:
        """Agreement of the reconciled days, with the undecided orphans and refused records of all days."""
        extra = {"undecided": undecided_orders(self.orphans), "refused": refused_records(self.failed)}
        return sum_agreements(day.agreement for day in self.days).model_copy(update=extra)

    @property
    def standing(self) -> Standing:
        """Verdict on the books."""
        failed, unfinished = [Standing.DISAGREE] * bool(self.failed), [Standing.UNFINISHED] * bool(self.unfinished)
        return worst_standing([self.agreement.standing, *failed, *unfinished])

    @property
    def message(self) -> str:
        """Verdict as a sentence, with the counts of failed records, conflicts and unfinished days."""
        conflict_count, failed_count = len(conflict_lines(self.held)), len(self.failed) - len(self.agreement.refused)
        parts = (
            (failed_count, f"{count_of(failed_count, 'record')} failed"),
            (conflict_count, f"{count_of(conflict_count, 'conflict')} with what people did in Xero"),
            (len(self.unfinished), f"{count_of(len(self.unfinished), 'day')} with work left"),
        )
        return "; ".join([self.agreement.sentence, *(text for count, text in parts if count)])

    @property
    def listed_elsewhere(self) -> set[str]:
        """Shopify ids of the orders whose conflict or failed record is listed with its reason."""
        return conflicts.orders_in_conflict(self.held) | {error.order_id or "" for error in self.failed}

    def summary(self, reconciliations: Sequence[DayReconciliation]) -> dict[str, object]:
        """Return the state under the keys of `--json`.

        Args:
            reconciliations: the last reconciliation of each day, with all of its orders.
        """
        return {
            "verdict": self.standing.value,
            "message": self.message,
            "days": [day.model_dump(mode="json") for day in reconciliations],
            "listed_orders": [order.model_dump(mode="json") for order in listed_orders(self.days)],
            "order_warnings": [warning.model_dump(mode="json") for warning in order_warnings(self.days)],
            "conflicts": conflicts.conflict_entries(self.held),
            "left": conflicts.decided_entries(self.held),
            "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in self.failed],
            "without_order": [orphan_summary(orphan) for orphan in self.orphans],
            "unfinished_days": [str(day) for day in self.unfinished],
            "requests": [request.model_dump(mode="json") for request in self.requests],
        }


def books_status(sync_service: SyncService) -> BooksStatus:
    """Return the state of a shop's books without a call to Shopify or Xero."""
    return BooksStatus(
        days=sync_service.reconciliations.summaries(sync_service.connections.days()),
        failed=sync_service.connections.store.failed_records(),
        unfinished=sorted(sync_service.record_ownership.unfinished_days()),
        held=day_issues.held_lines(sync_service.connections.store),
        orphans=sync_service.record_ownership.orphans(),
        requests=sync_service.connections.store.hints.requests(),
    )
