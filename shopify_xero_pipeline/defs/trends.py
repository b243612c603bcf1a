"""A day's numbers, drawn from day to day: orders by outcome, records written and refused, documents, calls to Xero.

The UI draws every number of a materialisation in the sidebar of its asset, above the asset's checks. The loads and
`books/reconciliation` have checks, which must be seen first, so that their numbers stand here. The asset has no
computation of its own: `books/reconciliation` logs its days.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.asset_defaults import FRESHNESS_POLICY
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.metadata.statement import document_totals
from shopify_xero_pipeline.defs.open_failures import ALL_DAYS_AGREE, ALL_DAYS_LOADED
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.statements import NAMES
from shopify_xero_pipeline.state.records import HistoryRow

TRENDS_KEY = dg.AssetKey(["books", "trends"])
OUTCOMES = ("posted", "waiting", "skipped", "blocked", "failed")


def trends_asset(partitions: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    """Return the external asset `books/trends`."""
    return dg.AssetSpec(
        TRENDS_KEY,
        deps=[ALL_DAYS_AGREE],
        partitions_def=partitions,
        group_name="books",
        kinds={"python"},
        freshness_policy=FRESHNESS_POLICY,
        description="Each day's numbers, to be compared from day to day: *Metadata*, *Plots*.",
    )


def trend_metadata(day: DayReconciliation, history: Sequence[HistoryRow], calls: int) -> dict[str, Any]:
    """Return a day's numbers by name. Amounts are floats, because they are only drawn; the exact ones stand elsewhere.

    Args:
        day: as it was compared.
        history: what the run's loads did on that day.
        calls: to Xero, made by the reconciliation of all days of the run; the loads' own are added.
    """
    found: dict[str, Any] = {f"orders {outcome}": day.count(outcome) for outcome in OUTCOMES}
    for key, kinds in ALL_DAYS_LOADED.items():
        rows = [row for row in history if row.kind in kinds]
        found[f"{key.path[-1].replace('_', ' ')} written"] = sum(
            row.created + row.updated + row.adopted + row.deleted for row in rows
        )
        calls += max((row.calls for row in rows), default=0)
    found["records failed"] = sum(row.failed for row in history)
    found["records postponed"] = sum(row.postponed for row in history)
    found["difference"] = tables.plot_value(day.difference)
    for currency in sorted({one.currency for one in day.movements}):
        for name, amount in zip(NAMES, document_totals(day, currency), strict=True):
            found[f"documents in {currency}, {name}"] = tables.plot_value(amount)
    return {**found, "calls to Xero": calls}
