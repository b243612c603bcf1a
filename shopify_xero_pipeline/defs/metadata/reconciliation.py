"""Metadata of a reconciled day's orders and orphans, and the outcomes of its checks.

The day's statement and chart are in `statement.py`.
"""

from decimal import Decimal
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.check_results import CheckOutcome
from shopify_xero_pipeline.defs.metadata.tables import (
    MAX_NAMES,
    Links,
    count_values,
    record_table,
    summarise_failures,
)
from shopify_xero_pipeline.pipeline.record_views import TableView, differences_text, order_rows_table, orphans_table
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.verdict import agreement_of_days

FAILED_OUTCOMES = ("failed", "conflict", "postponed")
"""Outcomes of orders that the books post but that are incomplete in Xero."""


def reconciliation_outcome(check: str, day: DayReconciliation, links: Links) -> CheckOutcome:
    """Return whether a check of the reconciliation passed on a day, with the orders that fail it.

    Blocked orders fail no check, because each has its reason; the description of every check lists them.

    Args:
        check: `every_order_accounted_for`, `totals_equal` or `no_duplicates_or_missing`.
        day: the reconciled day.
        links: links to Shopify and Xero.
    """
    rows = {
        "every_order_accounted_for": [
            row for row in day.rows if row.outcome in FAILED_OUTCOMES or row in day.unaccounted
        ],
        "totals_equal": day.unequal,
        "no_duplicates_or_missing": [row for row in day.rows if row.extra or row.lost],
    }[check]
    metadata = {"orders": record_table(order_rows_table(rows))}
    names, count = [row.order_name for row in rows], len(day.rows)
    if check == "no_duplicates_or_missing" and day.orphans:
        metadata |= {"orphans": record_table(orphans_table(day.orphans))}
        names, count = [*names, *(orphan.name for orphan in day.undecided)], count + len(day.orphans)
    pages = links.order_pages((row.order_id, row.order_name) for row in rows)
    summary = summarise_failures(names, count, "order", "to look at")
    return CheckOutcome(not names, f"{summary}{_describe_blocked(day)}", {**metadata, **pages})


def reconciliation_metadata(day: DayReconciliation) -> dict[str, Any]:
    """Return orders by outcome, three-way totals by currency, and every order that does not agree.

    Numbers are text, because the UI plots numbers above the checks; those to plot are in `books/trends`.
    """
    accepted = [row for row in day.rows if row.left]
    warnings = [(row.order_name, text) for row in day.rows for text in row.warnings]
    return {
        "verdict": agreement_of_days([day]).sentence,
        "orders": dg.MetadataValue.text(count_values(row.outcome for row in day.rows)),
        "three-way totals": dg.MetadataValue.md(_render_totals(day)),
        "unbalanced orders": record_table(order_rows_table(day.unequal)),
        "unposted orders": record_table(order_rows_table([row for row in day.rows if row.outcome != "posted"])),
        **({"accepted differences": record_table(order_rows_table(accepted))} if accepted else {}),
        **({"orphans": record_table(orphans_table(day.orphans))} if day.orphans else {}),
        **({"warnings": record_table(TableView(("order", "warning"), warnings))} if warnings else {}),
        "undecided orphans": str(len(day.undecided)),
        "difference": differences_text(day.differences),
        "missing in Xero": str(day.lost),
        "duplicates": str(day.extra),
    }


def _describe_blocked(day: DayReconciliation) -> str:
    blocked = agreement_of_days([day]).of("blocked")
    more = f" and {blocked.count - MAX_NAMES} more" if blocked.count > MAX_NAMES else ""
    names = f"{', '.join(blocked.named)}{more}"
    return f"; {blocked.sentence} {blocked.are} blocked and not in the books: {names}" if blocked.count else ""


def _render_totals(day: DayReconciliation) -> str:
    posted = [row for row in day.rows if row.outcome == "posted"]
    if not posted:
        return "nothing posted"
    lines = ["| currency | | Shopify | mapping | Xero |", "|---|---|---|---|---|"]
    for currency in sorted({row.currency for row in posted}):
        rows = [row for row in posted if row.currency == currency]
        for label in ("sales", "money"):
            columns = (label, f"mapped_{label}", f"xero_{label}")
            sums = [sum((getattr(row, column) for row in rows), Decimal(0)) for column in columns]
            lines.append(f"| {currency} | {label} | {' | '.join(f'{amount:,.2f}' for amount in sums)} |")
    return "\n".join(lines)
