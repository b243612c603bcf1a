"""Conflicts with what people did in Xero, as `--json` lists them: both sides, the reason, and what to do.

Which lines are conflicts is decided in `changes/unwritten_records.py`; tables of them stand in `cli/record_tables.py`.
"""

from datetime import date

from shopify_xero_pipeline.changes.models import Change
from shopify_xero_pipeline.changes.unwritten_records import HeldLines, conflict_lines, decided_lines
from shopify_xero_pipeline.pipeline import record_links
from shopify_xero_pipeline.reconciliation import next_steps


def orders_in_conflict(found: HeldLines) -> set[str]:
    """Return the ids of the orders of which a conflict is known."""
    return {line.order_id or "" for _, line in conflict_lines(found)}


def conflict_entry(day: date, line: Change) -> dict[str, object]:
    """Return a conflict for `--json`: both sides, the reason and what to do; of a Contact only which fields differ."""
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


def conflict_entries(found: HeldLines) -> list[dict[str, object]]:
    """Return all conflicts for `--json`."""
    return [conflict_entry(day, line) for day, line in conflict_lines(found)]


def decided_entries(found: HeldLines) -> list[dict[str, object]]:
    """Return all that people left as it is in Xero, for `--json`."""
    return [conflict_entry(day, line) | {"decided": line.decided} for day, line in decided_lines(found)]
