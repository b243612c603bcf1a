"""Report of a sync, with its verdict and the figures of `--json`.

This module only summarises runs; the verdict on a day is in `reconciliation/verdict.py`.
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
    """The result of the runs of a sync.

    Attributes:
        days: reconciliations of the days.
        failures: messages of failed steps.
        seconds: duration of the runs.
        shopify_calls: number of calls to Shopify.
        xero_calls: number of calls to Xero.
        postponed_days: days that were not started, because Xero's daily quota is exhausted.
        is_transient: whether all failures pass without a change of settings.
        needs_setting: whether the failures need a change of settings, permissions or disk.
        failed_records: records of the days that Xero rejected.
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
        """Agreement of the reconciled days, with the failed records that belong to no order."""
        return agreement_of_days(self.days).model_copy(update={"refused": refused_records(self.failed_records)})

    @property
    def standing(self) -> Standing:
        """Verdict on the sync; a failed step or a postponed day is no agreement."""
        failed = Standing.UNFINISHED if self.is_transient else Standing.DISAGREE
        steps = [failed] if self.failures else []
        return worst_standing(
            [self.agreement.standing, *steps, *([Standing.UNFINISHED] if self.postponed_days else [])]
        )

    @property
    def message(self) -> str:
        """Verdict as a sentence, with every figure that differs from its target."""
        if self.failures:
            return f"not synced: {'; '.join(self.failures)}"
        postponed = f"{count_of(len(self.postponed_days), 'day')} left for later" if self.postponed_days else ""
        return "; ".join(filter(None, (self.agreement.sentence, postponed)))

    @property
    def succeeded(self) -> bool:
        """Whether every step ran and nothing differs, failed or was postponed; orders may be blocked."""
        is_complete = not self.failures and not self.postponed_days
        return is_complete and self.standing in (Standing.AGREE, Standing.INCOMPLETE)

    def _difference(self) -> str | None:
        """Return the sum of the differences; None in several currencies, whose amounts have no sum."""
        amounts = [item for day in self.days for item in day.differences.items()]
        if len({currency for currency, _ in amounts}) > 1:
            return None
        return f"{sum((amount for _, amount in amounts), Decimal(0)):.2f}"

    def summary(self) -> dict[str, object]:
        """Return the figures under the keys of `--json`; amounts are decimal text; see docs/commands.md."""
        agreement = self.agreement
        return {
            "verdict": self.standing.value,
            "message": self.message,
            "days": len(self.days),
            "orders": sum(len(day.rows) for day in self.days),
            **{outcome: agreement.of(outcome).count for outcome in OUTCOMES},
            "documents": sum(row.documents for day in self.days for row in day.rows),
            "payments": sum(row.payments for day in self.days for row in day.rows),
            "unequal": agreement.unequal.count,
            "difference": self._difference(),
            "differences": {currency: f"{amount:.2f}" for currency, amount in agreement.unequal.amounts.items()},
            "duplicates": agreement.duplicates,
            "lost": agreement.lost,
            "without_order": [orphan_summary(order) for day in self.days for order in day.orphans],
            "xero_calls": self.xero_calls,
            "shopify_calls": self.shopify_calls,
            "seconds": round(self.seconds, 1),
            "failures": self.failures,
            "failed_records": [error.model_dump(mode="json", exclude={"payload"}) for error in self.failed_records],
            "days_left_for_later": [str(day) for day in self.postponed_days],
            "listed_orders": [order.model_dump(mode="json") for order in listed_orders(self.days)],
            "order_warnings": [warning.model_dump(mode="json") for warning in order_warnings(self.days)],
        }
