"""Conflicts with changes that people made in Xero, as entries of `--json`.

This module only builds the entries. `changes/unwritten_records.py` decides which lines are conflicts;
`cli/record_lists.py` lists them on a terminal.
"""

from datetime import date

from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.changes.unwritten_records import HeldLines, conflict_lines, decided_lines
from shopify_xero_pipeline.pipeline import record_links
from shopify_xero_pipeline.reconciliation import next_steps


def orders_in_conflict(held: HeldLines) -> set[str]:
    """Return the Shopify ids of the orders in conflict.

    Args:
        held: held lines by day, as in `day_issues.held_lines`.
    """
    return {line.order_id or "" for _, line in conflict_lines(held)}


def conflict_entry(day: date, line: Change) -> dict[str, object]:
    """Return the `--json` entry of a conflict; for a Contact it has no values of the fields that differ."""
    reason, remedy = next_steps.conflict_next_step(line)
    return {
        "day": str(day),
        "kind": line.kind.value,
        "record": line.natural_key,
        "order": line.order_name,
        "order_id": line.order_id,
        "xero_id": line.xero_id,
        "page": record_links.xero_page(line.kind, line.xero_id),
        "in_xero": {field.field: field.before for field in line.fields},
        "by_shopify": {field.field: field.after for field in line.fields},
        "amount": None if line.amount is None else str(line.amount),
        "currency": line.currency,
        "reason": reason,
        "remedy": remedy,
    }


def conflict_entries(held: HeldLines) -> list[dict[str, object]]:
    """Return the `--json` entries of all conflicts, oldest first.

    Args:
        held: held lines by day, as in `day_issues.held_lines`.
    """
    return [conflict_entry(day, line) for day, line in conflict_lines(held)]


def decided_entries(held: HeldLines) -> list[dict[str, object]]:
    """Return the `--json` entries of the conflicts that people decided to leave as they are in Xero, oldest first.

    Args:
        held: held lines by day, as in `day_issues.held_lines`.
    """
    return [conflict_entry(day, line) | {"decided": line.decided} for day, line in decided_lines(held)]
