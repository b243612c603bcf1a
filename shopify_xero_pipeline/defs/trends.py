"""The asset `books/trends`, with each day's numbers for the plots of the UI.

The UI plots the numbers of a materialisation in the sidebar of its asset, above the asset's checks. The loads and
`books/reconciliation` have checks, which must come first, so their numbers are here. The asset has no computation;
`books/reconciliation` logs its materialisations.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.metadata.statement import document_totals
from shopify_xero_pipeline.defs.metadata.tables import plot_value
from shopify_xero_pipeline.defs.open_failures import ALL_DAYS_AGREE, ALL_DAYS_LOADED
from shopify_xero_pipeline.defs.resources import XERO_CALLS
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.statements import NAMES
from shopify_xero_pipeline.state.records import HistoryRow

TRENDS_KEY = dg.AssetKey(["books", "trends"])
OUTCOMES = ("posted", "waiting", "skipped", "blocked", "failed")


def trends_asset(partitions: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    """Return the external asset `books/trends`, with the given daily partitions."""
    return dg.AssetSpec(
        TRENDS_KEY,
        deps=[ALL_DAYS_AGREE],
        partitions_def=partitions,
        group_name="books",
        kinds={"python"},
        description="Each day's numbers: orders, records, documents and API calls. See *Plots*.",
    )


def trend_metadata(day: DayReconciliation, history: Sequence[HistoryRow], calls: int) -> dict[str, Any]:
    """Return a day's numbers by name. Amounts are floats for the plots; the exact ones are in `books/reconciliation`.

    Args:
        day: the reconciled day.
        history: counts of the run's loads on that day.
        calls: Xero API calls of the run's reconciliation, for all of its days; those of the loads are added.
    """
    numbers: dict[str, Any] = {f"orders {outcome}": day.count(outcome) for outcome in OUTCOMES}
    for key, kinds in ALL_DAYS_LOADED.items():
        rows = [row for row in history if row.kind in kinds]
        numbers[f"{key.path[-1].replace('_', ' ')} written"] = sum(
            row.created + row.updated + row.adopted + row.deleted for row in rows
        )
        calls += max((row.calls for row in rows), default=0)  # each kind of a load has the calls of the whole load
    numbers["records failed"] = sum(row.failed for row in history)
    numbers["records postponed"] = sum(row.postponed for row in history)
    differences = day.differences
    if len(differences) > 1:  # amounts of several currencies have no sum
        numbers |= {f"difference in {currency}": plot_value(amount) for currency, amount in differences.items()}
    else:
        numbers["difference"] = plot_value(sum(differences.values(), Decimal(0)))
    for currency in sorted({movement.currency for movement in day.movements}):
        for name, amount in zip(NAMES, document_totals(day, currency), strict=True):
            numbers[f"documents in {currency}, {name}"] = plot_value(amount)
    return {**numbers, XERO_CALLS: calls}
