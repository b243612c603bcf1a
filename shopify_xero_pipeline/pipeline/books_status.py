"""How the books stand, from our own files alone: compared days, failed records, conflicts, what is left to do.

Only gathering belongs here, and the verdict on all of it together; what a day comes to is decided in
`reconciliation/verdict.py`, and `cli/output.py` prints it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from shopify_xero_pipeline.changes.unwritten_records import Held, in_conflict
from shopify_xero_pipeline.pipeline import conflicts, day_issues
from shopify_xero_pipeline.pipeline.record_ownership import orphan_json
from shopify_xero_pipeline.pipeline.sync import Bookkeeper
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings
from shopify_xero_pipeline.reconciliation.verdict import (
    Agreement,
    Standing,
    agreement_of_orders,
    counted,
    refused,
    undecided_orders,
    worst,
)
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.state.webhook_hints import Hint


@dataclass(frozen=True)
class BooksStanding:
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
    held: Held
    orphans: Sequence[OrphanedOrder]
    requests: Sequence[Hint]

    @cached_property
    def agreement(self) -> Agreement:
        """What the compared days come to, with all that stands in Xero without an order, whatever its day."""
        more = {"undecided": undecided_orders(self.orphans), "refused": refused(self.failed)}
        return agreement_of_orders(self.days).model_copy(update=more)

    @property
    def standing(self) -> Standing:
        """The verdict in one word."""
        failed, left = [Standing.DISAGREE] * bool(self.failed), [Standing.UNFINISHED] * bool(self.unfinished)
        return worst([self.agreement.standing, *failed, *left])

    @property
    def says(self) -> str:
        """The verdict as a sentence, with how much is failed, in conflict and left to do."""
        conflicts, of_orders = len(in_conflict(self.held)), len(self.failed) - len(self.agreement.refused)
        more = (
            (of_orders, f"{counted(of_orders, 'record')} failed"),
            (conflicts, f"{counted(conflicts, 'conflict')} with what people did in Xero"),
            (len(self.unfinished), f"{counted(len(self.unfinished), 'day')} with work left"),
        )
        return "; ".join([self.agreement.says, *(text for count, text in more if count)])

    @property
    def said_elsewhere(self) -> set[str]:
        """The ids of orders whose reason stands with their conflict or their failed record."""
        return conflicts.orders_in_conflict(self.held) | {error.order_id or "" for error in self.failed}

    def summary(self) -> dict[str, object]:
        """Return all of it under the names that `--json` promises."""
        return {
            "verdict": self.standing.value,
            "says": self.says,
            "days": [day.model_dump(mode="json") for day in self.days],
            "listed_orders": [one.model_dump(mode="json") for one in listed_orders(self.days)],
            "order_warnings": [one.model_dump(mode="json") for one in order_warnings(self.days)],
            "conflicts": conflicts.conflicts_of(self.held),
            "left": conflicts.left_of(self.held),
            "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in self.failed],
            "without_order": [orphan_json(one) for one in self.orphans],
            "unfinished_days": [str(day) for day in self.unfinished],
            "requests": [one.model_dump(mode="json") for one in self.requests],
        }


def standing(bookkeeper: Bookkeeper) -> BooksStanding:
    """Return how a shop's books stand; nobody is called."""
    return BooksStanding(
        days=bookkeeper.reconciled(bookkeeper.days()),
        failed=bookkeeper.store.errors(),
        unfinished=sorted(bookkeeper.unfinished_days()),
        held=day_issues.held_lines(bookkeeper.store),
        orphans=bookkeeper.ownership.orphans(),
        requests=bookkeeper.store.hints.requests(),
    )
