"""Metadata of records by day: the orders extracted from Shopify, the plan and the load, with the check `all_loaded`.

A plan has counts by action, a table, a diff in Markdown and planned amounts.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.defs.check_results import CheckOutcome
from shopify_xero_pipeline.defs.metadata.tables import (
    MAX_TABLE_ROWS,
    Links,
    count_values,
    money_metadata,
    money_table,
    record_table,
    summarise_failures,
)
from shopify_xero_pipeline.loading.load_report import LoadResult
from shopify_xero_pipeline.observability.escaping import escape_markdown, to_one_line
from shopify_xero_pipeline.pipeline.record_views import missing_records_table, plan_table, record_label
from shopify_xero_pipeline.reconciliation.rollup import by_currency
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

HIDDEN_PERSONAL_DATA = "…"
NO_CHANGES = "nothing to do"


def order_metadata(orders: Sequence[Order]) -> dict[str, Any]:
    """Return the number of a day's orders and their current total price by currency."""
    sales = by_currency((order.currency_code, order.current_total_price_set.shop_money.amount) for order in orders)
    return row_count_metadata(orders) | money_metadata("current sales", sales)


def row_count_metadata(records: Sequence[object]) -> dict[str, Any]:
    """Return the number of a day's records under the name that Dagster plots."""
    return {"dagster/row_count": len(records)}


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


def load_metadata(results: Sequence[LoadResult]) -> dict[str, Any]:
    """Return counts by outcome and posted amounts by currency.

    Both are text, because the UI plots numbers in the sidebar of the asset above its checks; the numbers are in
    `books/trends` (`defs/trends.py`).
    """
    posted = [result for result in results if result.outcome in {"created", "adopted"}]
    return {
        "posted amount": money_table(by_currency((result.currency, result.amount) for result in posted)),
        "records": dg.MetadataValue.text(count_values(result.outcome.value for result in results)),
    }


def all_loaded_outcome(results: Sequence[LoadResult], links: Links, errors: Iterable[SyncError]) -> CheckOutcome:
    """Return whether every record of a day is in Xero, with a table of the missing ones.

    Args:
        results: results of the day's load.
        links: links to Shopify and Xero.
        errors: failed records of the state store, with attempts of all runs and the next attempt (UTC).
    """
    missing = [result for result in results if result.outcome in {"failed", "postponed"}]
    names = [record_label(result.kind, result.natural_key, result.shopify_id) for result in missing]
    failures = record_table(missing_records_table(missing, errors))
    pages = links.order_pages((result.order_id, result.order_name or "") for result in missing)
    return CheckOutcome(
        not missing,
        summarise_failures(names, len(results), "record", "not in Xero"),
        {"failures": failures, **pages, **links.record_pages(missing)},
    )


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
