"""How the books stand, from our own files alone: compared days, failed records, conflicts, what is left to do.

Only gathering belongs here, and the verdict on all of it together; what a day comes to is decided in
`reconciliation/verdict.py`, and `cli/output.py` prints it.
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
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings
from shopify_xero_pipeline.reconciliation.verdict import (
    Agreement,
    Standing,
    agreement_of_orders,
    count_of,
    refused_records,
    undecided_orders,
    worst_standing,
)
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.state.webhook_hints import WebhookHint


@dataclass(frozen=True)
class BooksStatus:
    """What is known of the books.

    Attributes:
        days: every day that was compared, as it was last.
        failed: records that could not be written, without those a person dismissed.
        unfinished: days with writes left.
        held: lines of the last plans that write nothing although the books want it, by day.
        orphans: orders of which records stand, or stood, in Xero without an order.
        requests: what people asked about their data.
    """

    days: Sequence[DayReconciliation]
    failed: Sequence[SyncError]
    unfinished: Sequence[date]
    held: HeldLines
    orphans: Sequence[OrphanedOrder]
    requests: Sequence[WebhookHint]

    @cached_property
    def agreement(self) -> Agreement:
        """What the compared days come to, with all that stands in Xero without an order, whatever its day."""
        more = {"undecided": undecided_orders(self.orphans), "refused": refused_records(self.failed)}
        return agreement_of_orders(self.days).model_copy(update=more)

    @property
    def standing(self) -> Standing:
        """The verdict in one word."""
        failed, left = [Standing.DISAGREE] * bool(self.failed), [Standing.UNFINISHED] * bool(self.unfinished)
        return worst_standing([self.agreement.standing, *failed, *left])

    @property
    def message(self) -> str:
        """The verdict as a sentence, with how much is failed, in conflict and left to do."""
        in_conflict, of_orders = len(conflict_lines(self.held)), len(self.failed) - len(self.agreement.refused)
        more = (
            (of_orders, f"{count_of(of_orders, 'record')} failed"),
            (in_conflict, f"{count_of(in_conflict, 'conflict')} with what people did in Xero"),
            (len(self.unfinished), f"{count_of(len(self.unfinished), 'day')} with work left"),
        )
        return "; ".join([self.agreement.sentence, *(text for count, text in more if count)])

    @property
    def listed_elsewhere(self) -> set[str]:
        """The ids of orders whose reason stands with their conflict or their failed record."""
        return conflicts.orders_in_conflict(self.held) | {error.order_id or "" for error in self.failed}

    def summary(self) -> dict[str, object]:
        """Return all of it under the names that `--json` promises."""
        return {
            "verdict": self.standing.value,
            "message": self.message,
            "days": [day.model_dump(mode="json") for day in self.days],
            "listed_orders": [one.model_dump(mode="json") for one in listed_orders(self.days)],
            "order_warnings": [one.model_dump(mode="json") for one in order_warnings(self.days)],
            "conflicts": conflicts.conflict_entries(self.held),
            "left": conflicts.decided_entries(self.held),
            "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in self.failed],
            "without_order": [orphan_summary(one) for one in self.orphans],
            "unfinished_days": [str(day) for day in self.unfinished],
            "requests": [one.model_dump(mode="json") for one in self.requests],
        }


def books_status(sync_service: SyncService) -> BooksStatus:
    """Return how a shop's books stand; nobody is called."""
    return BooksStatus(
        days=sync_service.stored_reconciliations(sync_service.days()),
        failed=sync_service.connections.store.failed_records(),
        unfinished=sorted(sync_service.unfinished_days()),
        held=day_issues.held_lines(sync_service.connections.store),
        orphans=sync_service.record_ownership.orphans(),
        requests=sync_service.connections.store.hints.requests(),
    )
