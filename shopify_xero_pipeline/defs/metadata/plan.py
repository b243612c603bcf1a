"""Metadata of a day's plan: counts by action, a table, a diff in Markdown, planned amounts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.defs.metadata.tables import (
    MAX_TABLE_ROWS,
    Links,
    money_metadata,
    record_table,
)
from shopify_xero_pipeline.observability.escaping import escape_markdown, to_one_line
from shopify_xero_pipeline.pipeline.record_views import plan_table, record_label
from shopify_xero_pipeline.reconciliation.rollup import by_currency
from shopify_xero_pipeline.xero.models import Kind

HIDDEN_PERSONAL_DATA = "…"
NO_CHANGES = "nothing to do"


def plan_metadata(plan: ChangeSet, links: Links) -> dict[str, Any]:
    """Return the metadata of a day's plan; unchanged records are only counted."""
    counts = Counter(change.action for change in plan.changes)
    listed = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    planned = [change for change in plan.changes if change.action in {Action.CREATE, Action.ADOPT}]
    return {
        "dagster/row_count": len(plan.changes),
        "plan": record_table(plan_table(listed), NO_CHANGES),
        "diff": dg.MetadataValue.md(_render_diff(listed, links)),
        **money_metadata("planned amount", by_currency((change.currency, change.amount) for change in planned)),
        **{action.value: counts[action] for action in Action},
    }


def _render_diff(changes: Sequence[Change], links: Links) -> str:
    blocks = [_render_change(change, links) for change in changes[:MAX_TABLE_ROWS]]
    more = f"\n\n… and {len(changes) - MAX_TABLE_ROWS} more" if len(changes) > MAX_TABLE_ROWS else ""
    return "\n\n".join(blocks) + more if blocks else NO_CHANGES


def _render_change(change: Change, links: Links) -> str:
    signs = {Action.CREATE: "+", Action.UPDATE: "~", Action.ADOPT: "=", Action.DELETE: "-", Action.CONFLICT: "!"}
    label = escape_markdown(record_label(change.kind, change.natural_key, change.shopify_id))
    title = f"**{signs.get(change.action, '·')} {change.action.value} {label}**"
    order = f" for order {links.order_link(change.order_id, change.order_name)}" if change.order_id else ""
    body = "\n".join(_render_field(change, field.field, field.before, field.after) for field in change.fields)
    fenced = f"\n```diff\n{body}\n```" if body else ""
    return f"{title}{order}{': ' + escape_markdown(change.reason) if change.reason else ''}{fenced}"


def _render_field(change: Change, field: str, before: str | None, after: str | None) -> str:
    if change.kind is Kind.CONTACT:
        before, after = (HIDDEN_PERSONAL_DATA if before else before), (HIDDEN_PERSONAL_DATA if after else after)
    removed = [f"- {field}: {to_one_line(before)}"] if before is not None else []
    added = [f"+ {field}: {to_one_line(after)}"] if after is not None else []
    return "\n".join(removed + added)
