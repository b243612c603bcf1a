"""Metadata of a reconciled day's orders and orphans, and the outcomes of its checks.

The day's statement and chart are in `statement.py`.
"""

from collections.abc import Sequence
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
from shopify_xero_pipeline.pipeline.record_links import xero_page
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder, OrphanedRecord
from shopify_xero_pipeline.reconciliation.rollup import sum_by
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
    metadata, names, count = {"orders": order_table(rows)}, [row.order_name for row in rows], len(day.rows)
    if check == "no_duplicates_or_missing" and day.orphans:
        metadata |= {"orphans": orphan_table(day.orphans)}
        names, count = [*names, *(orphan.name for orphan in day.undecided)], count + len(day.orphans)
    pages = links.order_pages((row.order_id, row.order_name) for row in rows)
    summary = summarise_failures(names, count, "order", "to look at")
    return CheckOutcome(not names, f"{summary}{_describe_blocked(day)}", {**metadata, **pages})


def reconciliation_metadata(day: DayReconciliation) -> dict[str, Any]:
    """Return orders by outcome, three-way totals by currency, and every order that does not agree.

    Numbers are text, because the UI plots numbers above the checks; those to plot are in `books/trends`.
    """
    accepted = [row for row in day.rows if row.left]
    warnings = [{"order": row.order_name, "warning": text} for row in day.rows for text in row.warnings]
    return {
        "verdict": agreement_of_days([day]).sentence,
        "orders": dg.MetadataValue.text(count_values(row.outcome for row in day.rows)),
        "three-way totals": dg.MetadataValue.md(_render_totals(day)),
        "unbalanced orders": order_table(day.unequal),
        "unposted orders": order_table([row for row in day.rows if row.outcome != "posted"]),
        **({"accepted differences": order_table(accepted)} if accepted else {}),
        **({"orphans": orphan_table(day.orphans)} if day.orphans else {}),
        **({"warnings": record_table(warnings)} if warnings else {}),
        "undecided orphans": str(len(day.undecided)),
        "difference": f"{day.difference:.2f}",
        "missing in Xero": str(day.lost),
        "duplicates": str(day.extra),
    }


def order_table(rows: Sequence[OrderRow]) -> dg.MetadataValue[Any]:
    """Return a table of orders with outcome, reason, and sales and money of the three columns."""
    return record_table(_build_order_row(row) for row in rows)


def orphan_table(orphans: Sequence[OrphanedOrder]) -> dg.MetadataValue[Any]:
    """Return a table of records in Xero without an order of the books, each with its reason and decision."""
    return record_table(_build_orphan_row(orphan, record) for orphan in orphans for record in orphan.records)


def _describe_blocked(day: DayReconciliation) -> str:
    blocked = agreement_of_days([day]).of("blocked")
    more = f" and {blocked.count - MAX_NAMES} more" if blocked.count > MAX_NAMES else ""
    names = f"{', '.join(blocked.named)}{more}"
    return f"; {blocked.sentence} {blocked.are} blocked and not in the books: {names}" if blocked.count else ""


def _build_order_row(row: OrderRow) -> dict[str, str]:
    return {
        "order": row.order_name,
        "outcome": row.outcome,
        "reason": row.reason,
        "Shopify": f"{_format_exact(row.sales)} / {_format_exact(row.money)}",
        "mapping": f"{_format_exact(row.mapped_sales)} / {_format_exact(row.mapped_money)}",
        "Xero": f"{_format_exact(row.xero_sales)} / {_format_exact(row.xero_money)}",
        "problems": "; ".join(row.problems) or row.left,
    }


def _build_orphan_row(orphan: OrphanedOrder, record: OrphanedRecord) -> dict[str, str]:
    return {
        "order": orphan.order_name or orphan.order_id,
        "record": record.name,
        "date": str(record.dated),
        "amount": f"{_format_exact(record.amount)} {record.currency}",
        "state": record.state,
        "reason": orphan.reason,
        "decision": ": ".join(filter(None, (orphan.decision, orphan.remedy))),
        "page": xero_page(record.kind, record.xero_id) or "" if record.is_live else "",
    }


def _render_totals(day: DayReconciliation) -> str:
    names = ["sales", "mapped_sales", "xero_sales", "money", "mapped_money", "xero_money"]
    posted = [row.model_dump(include={"currency", *names}) for row in day.rows if row.outcome == "posted"]
    if not posted:
        return "nothing posted"
    head = "| currency | | Shopify | mapping | Xero |\n|---|---|---|---|---|\n"
    lines = []
    for record in sum_by(posted, ["currency"], names).to_dict("records"):
        for label, columns in (("sales", names[:3]), ("money", names[3:])):
            lines.append(
                f"| {record['currency']} | {label} | {' | '.join(f'{record[name]:,.2f}' for name in columns)} |"
            )
    return head + "\n".join(lines)


def _format_exact(amount: Decimal) -> str:
    """Return an amount with two decimals, or with all of its decimals if there are more."""
    cents = round(amount, 2)
    return f"{cents if cents == amount else amount:,f}"
