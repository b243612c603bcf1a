"""What a sync of days came to: the verdict, its sentence, and the figures that `--json` promises.

Only summing up belongs here; what a day comes to is decided in `reconciliation/verdict.py`.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.unposted_orders import listed_orders, order_warnings
from shopify_xero_pipeline.reconciliation.verdict import (
    OUTCOMES,
    Agreement,
    Standing,
    agreement_of_days,
    count_of,
    refused_records,
    worst_standing,
)
from shopify_xero_pipeline.state.records import SyncError


@dataclass
class SyncReport:
    """What runs came to. `failures` are the messages of failed steps; money figures are `Decimal`.

    `passing`: all of those pass by themselves. `of_setting`: they do once settings, permissions or a disk are put
    right. `left` are the days that were not begun, because Xero's calls of the day are used up. `failed` are the
    records of the days that Xero refused.
    """

    days: list[DayReconciliation] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    shopify_calls: int = 0
    xero_calls: int = 0
    postponed_days: list[date] = field(default_factory=list)
    is_transient: bool = False
    needs_setting: bool = False
    failed_records: list[SyncError] = field(default_factory=list)

    @cached_property
    def agreement(self) -> Agreement:
        """What the compared days come to, with the failed records that are no order's."""
        return agreement_of_days(self.days).model_copy(update={"refused": refused_records(self.failed_records)})

    @property
    def standing(self) -> Standing:
        """The verdict in one word. A step that failed, or a day that was left, is no agreement."""
        failed = Standing.UNFINISHED if self.is_transient else Standing.DISAGREE
        steps = [failed] if self.failures else []
        return worst_standing(
            [self.agreement.standing, *steps, *([Standing.UNFINISHED] if self.postponed_days else [])]
        )

    @property
    def message(self) -> str:
        """The verdict as a sentence, in which every figure stands that is not as it should be."""
        if self.failures:
            return f"not synced: {'; '.join(self.failures)}"
        left = f"{count_of(len(self.postponed_days), 'day')} left for later" if self.postponed_days else ""
        return "; ".join(filter(None, (self.agreement.sentence, left)))

    @property
    def succeeded(self) -> bool:
        """Whether every step ran and nothing differs, failed or was left; orders may be blocked."""
        done = not self.failures and not self.postponed_days
        return done and self.standing in (Standing.AGREE, Standing.INCOMPLETE)

    def summary(self) -> dict[str, object]:
        """Return the figures under the names that `--json` promises; money as text."""
        found = self.agreement
        return {
            "verdict": self.standing.value,
            "message": self.message,
            "days": len(self.days),
            "orders": sum(len(day.rows) for day in self.days),
            **{outcome: found.of(outcome).count for outcome in OUTCOMES},
            "documents": sum(row.documents for day in self.days for row in day.rows),
            "payments": sum(row.payments for day in self.days for row in day.rows),
            "unequal": found.unequal.count,
            "difference": f"{sum((day.difference for day in self.days), Decimal(0)):.2f}",
            "differences": {currency: f"{amount:.2f}" for currency, amount in found.unequal.amounts.items()},
            "duplicates": found.duplicates,
            "lost": found.lost,
            "without_order": [orphan_summary(order) for day in self.days for order in day.orphans],
            "xero_calls": self.xero_calls,
            "shopify_calls": self.shopify_calls,
            "seconds": round(self.seconds, 1),
            "failures": self.failures,
            "failed_records": [one.model_dump(mode="json", exclude={"payload"}) for one in self.failed_records],
            "days_left_for_later": [str(day) for day in self.postponed_days],
            "listed_orders": [one.model_dump(mode="json") for one in listed_orders(self.days)],
            "order_warnings": [one.model_dump(mode="json") for one in order_warnings(self.days)],
        }
