"""What people see of a run in the Dagster UI: counts, tables, readable diffs, money by currency, links to both sides.

Only rendering belongs here, and only ids, amounts, counts and order names are ever shown: a customer's name, address,
e-mail or telephone never reaches the event log. Tables are capped; the full list is in the stored change-set and in
the state store.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.defs.check_results import CheckOutcome
from shopify_xero_pipeline.loading.load_report import LoadResult
from shopify_xero_pipeline.observability.escaping import escape_markdown, to_one_line
from shopify_xero_pipeline.pipeline.record_links import order_page, xero_page
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, OrderRow
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder, OrphanedRecord
from shopify_xero_pipeline.reconciliation.rollup import by_currency, sum_by
from shopify_xero_pipeline.reconciliation.verdict import agreement_of_days, count_of
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind

MAX_TABLE_ROWS, MAX_NAMES = 50, 5
HIDDEN_PERSONAL_DATA = "…"
NO_PAGE = ("failed", "conflict", "postponed")
"""Outcomes of orders that the books want posted, and of which something is missing in Xero."""


class Links:
    """Builds links to the shop's admin and to Xero. Their texts are given as people wrote them."""

    def __init__(self, shop_domain: str) -> None:
        self._shop_domain = shop_domain

    def order(self, order_id: str | None, text: str | None) -> str:
        """Return a Markdown link to an order, or just its text."""
        if order_id is None:
            return escape_markdown(text or "")
        return f"[{escape_markdown(text or order_id)}]({order_page(self._shop_domain, order_id)})"

    def pages(self, orders: Iterable[tuple[str | None, str]]) -> dict[str, Any]:
        """Return the pages of the first few orders, given by id and name, as entries that the UI shows as links."""
        known = {order_id: name for order_id, name in orders if order_id is not None}
        return {
            f"{to_one_line(name) or order_id} in Shopify": dg.MetadataValue.url(order_page(self._shop_domain, order_id))
            for order_id, name in [*known.items()][:MAX_NAMES]
        }

    def in_xero(self, results: Iterable[LoadResult]) -> dict[str, Any]:
        """Return the pages of the first few records that Xero has, in the same way."""
        named = [
            (_label(one.kind, one.natural_key, one.shopify_id), xero_page(one.kind, one.xero_id)) for one in results
        ]
        return {f"{to_one_line(name)} in Xero": dg.MetadataValue.url(page) for name, page in named[:MAX_NAMES] if page}


def order_metadata(found: Sequence[Order]) -> dict[str, Any]:
    """Describe a day's extracted orders: how many, and what they are worth now."""
    sales = by_currency((order.currency_code, order.current_total_price_set.shop_money.amount) for order in found)
    return {"dagster/row_count": len(found)} | money_metadata("sales now", sales)


def row_count_metadata(found: Sequence[object]) -> dict[str, Any]:
    """Describe a day's extracted customers or products: how many."""
    return {"dagster/row_count": len(found)}


def plan_metadata(plan: ChangeSet, links: Links) -> dict[str, Any]:
    """Describe a day's plan: counts by action, the plan as a table and as a readable diff, money by currency."""
    counts = Counter(line.action for line in plan.changes)
    telling = [line for line in plan.changes if line.action is not Action.UNCHANGED]
    planned = [line for line in plan.changes if line.action in {Action.CREATE, Action.ADOPT}]
    return {
        "dagster/row_count": len(plan.changes),
        "plan": record_table((_plan_record(line) for line in telling), "nothing to do"),
        "diff": dg.MetadataValue.md(_diff(telling, links)),
        **money_metadata("money planned", by_currency((line.currency, line.amount) for line in planned)),
        **{action.value: counts[action] for action in Action},
    }


def load_metadata(results: Sequence[LoadResult]) -> dict[str, Any]:
    """Describe what a load did on a day: counts by outcome, money by currency.

    Counts are text: what is a number is drawn in the sidebar of the asset, above its checks (`assets/trends.py`).
    """
    posted = [result for result in results if result.outcome in {"created", "adopted"}]
    return {
        "money posted": money_table(by_currency((result.currency, result.amount) for result in posted)),
        "records": dg.MetadataValue.text(_counts(result.outcome.value for result in results)),
    }


def all_loaded_outcome(results: Sequence[LoadResult], links: Links, errors: Iterable[SyncError]) -> CheckOutcome:
    """Return whether every record of a day is in Xero, and the table of those that are not.

    Args:
        results: of the day's load.
        links: to both sides.
        errors: what the state store knows of failed records: attempts in all runs, when the next is due (UTC).
    """
    bad = [result for result in results if result.outcome in {"failed", "postponed"}]
    known = {(one.kind, one.shopify_id): one for one in errors}
    named = [_label(one.kind, one.natural_key, one.shopify_id) for one in bad]
    says = _told(named, len(results), "record", "not in Xero")
    failures = record_table(_failure(one, known.get((one.kind, one.shopify_id))) for one in bad)
    pages = links.pages((one.order_id, one.order_name or "") for one in bad)
    return CheckOutcome(not bad, says, {"failures": failures, **pages, **links.in_xero(bad)})


def reconciliation_outcome(check: str, day: DayReconciliation, links: Links) -> CheckOutcome:
    """Return whether a check of reconciliation passed on a day, and the orders that broke it.

    Blocked orders break none, as each has its reason; but no check speaks of the day without them.
    """
    broken = {
        "every_order_accounted_for": [row for row in day.rows if row.outcome in NO_PAGE or row in day.unaccounted],
        "totals_equal": day.unequal,
        "nothing_extra": [row for row in day.rows if row.extra or row.lost],
    }[check]
    shown, names, count = {"orders": order_table(broken)}, [row.order_name for row in broken], len(day.rows)
    if check == "nothing_extra" and day.orphans:
        shown |= {"without an order": orphan_table(day.orphans)}
        names, count = [*names, *(one.name for one in day.undecided)], count + len(day.orphans)
    pages = links.pages((row.order_id, row.order_name) for row in broken)
    says = _told(names, count, "order", "to look at")
    return CheckOutcome(not names, f"{says}{_not_in_the_books(day)}", {**shown, **pages})


def _warnings(day: DayReconciliation) -> list[dict[str, str]]:
    return [{"order": row.order_name, "warning": text} for row in day.rows for text in row.warnings]


def _not_in_the_books(day: DayReconciliation) -> str:
    blocked = agreement_of_days([day]).of("blocked")
    more = f" and {blocked.count - MAX_NAMES} more" if blocked.count > MAX_NAMES else ""
    named = f"{', '.join(blocked.named)}{more}"
    return f"; {blocked.sentence} {blocked.are} blocked and not in the books: {named}" if blocked.count else ""


def reconciliation_metadata(day: DayReconciliation) -> dict[str, Any]:
    """Describe a day's three columns: orders by outcome, totals by currency, and every order that does not agree."""
    return {
        "verdict": agreement_of_days([day]).sentence,
        "orders": dg.MetadataValue.text(_counts(row.outcome for row in day.rows)),
        "columns": dg.MetadataValue.md(_columns(day)),
        "not equal": order_table(day.unequal),
        "not posted": order_table([row for row in day.rows if row.outcome != "posted"]),
        **({"left as a person decided": order_table(left)} if (left := [row for row in day.rows if row.left]) else {}),
        **({"without an order": orphan_table(day.orphans)} if day.orphans else {}),
        **({"warnings": record_table(warnings)} if (warnings := _warnings(day)) else {}),
        "to decide": str(len(day.undecided)),
        "difference": _plain(day.difference),
        "lost": str(day.lost),
        "extra": str(day.extra),
    }


def order_table(found: Sequence[OrderRow]) -> dg.MetadataValue[Any]:
    """Return orders with their outcome, reason and arithmetic."""
    return record_table(_order(row) for row in found)


def record_table(records: Iterable[Mapping[str, str]], none: str = "none") -> dg.MetadataValue[Any]:
    """Return the first 50 records as a table, which the UI shows in place wherever it shows metadata.

    Cells are plain text there. Markdown is not: in a check the UI shows it behind a button, however short it is.
    """
    found = [{name: to_one_line(cell) for name, cell in record.items()} for record in records]
    if not found:
        return dg.MetadataValue.text(none)
    columns = [dg.TableColumn(name) for name in found[0]]
    more = {name: "" for name in found[0]} | {next(iter(found[0])): f"… and {len(found) - MAX_TABLE_ROWS} more"}
    shown = [*found[:MAX_TABLE_ROWS], *([more] if len(found) > MAX_TABLE_ROWS else [])]
    rows = [dg.TableRecord(dict(record)) for record in shown]
    return dg.MetadataValue.table(records=rows, schema=dg.TableSchema(columns=columns))


def orphan_table(found: Sequence[OrphanedOrder]) -> dg.MetadataValue[Any]:
    """Return what stands, or stood, in Xero without an order: each record, why, and what to do."""
    return record_table(_orphan(order, record) for order in found for record in order.records)


def money_metadata(name: str, totals: Mapping[str, Decimal]) -> dict[str, Any]:
    """Return amounts by currency, exact as text, and each as a number beside it, as the UI plots nothing else."""
    return {name: money_table(totals)} | {f"{name} in {one}": plot_value(amount) for one, amount in totals.items()}


def plot_value(amount: Decimal) -> dg.FloatMetadataValue:
    """Return an amount as the UI draws it; a float is only ever drawn, the exact text stands beside it."""
    return dg.FloatMetadataValue(float(amount))


def money_table(totals: Mapping[str, Decimal]) -> dg.MarkdownMetadataValue:
    """Return amounts by currency."""
    lines = [f"{amount:,.2f} {currency}" for currency, amount in sorted(totals.items())]
    return dg.MetadataValue.md("  \n".join(lines) or "none")


def _plan_record(line: Change) -> dict[str, str]:
    return {
        "action": line.action.value,
        "record": _label(line.kind, line.natural_key, line.shopify_id),
        "order": line.order_name or "",
        "amount": "" if line.amount is None else f"{line.amount} {line.currency}",
        "why": line.reason,
    }


def _diff(lines: Sequence[Change], links: Links) -> str:
    blocks = [_diff_block(line, links) for line in lines[:MAX_TABLE_ROWS]]
    more = f"\n\n… and {len(lines) - MAX_TABLE_ROWS} more" if len(lines) > MAX_TABLE_ROWS else ""
    return "\n\n".join(blocks) + more if blocks else "nothing to do"


def _diff_block(line: Change, links: Links) -> str:
    signs = {Action.CREATE: "+", Action.UPDATE: "~", Action.ADOPT: "=", Action.DELETE: "-", Action.CONFLICT: "!"}
    label = escape_markdown(_label(line.kind, line.natural_key, line.shopify_id))
    title = f"**{signs.get(line.action, '·')} {line.action.value} {label}**"
    order = f" for order {links.order(line.order_id, line.order_name)}" if line.order_id else ""
    body = "\n".join(_diff_line(line, field.field, field.before, field.after) for field in line.fields)
    fenced = f"\n```diff\n{body}\n```" if body else ""
    return f"{title}{order}{': ' + escape_markdown(line.reason) if line.reason else ''}{fenced}"


def _diff_line(line: Change, field: str, before: str | None, after: str | None) -> str:
    if line.kind is Kind.CONTACT:
        before, after = (HIDDEN_PERSONAL_DATA if before else before), (HIDDEN_PERSONAL_DATA if after else after)
    removed = [f"- {field}: {to_one_line(before)}"] if before is not None else []
    added = [f"+ {field}: {to_one_line(after)}"] if after is not None else []
    return "\n".join(removed + added)


def _label(kind: Kind, natural_key: str, shopify_id: str) -> str:
    return f"{kind.value.replace('_', ' ')} {natural_key or shopify_id}"


def _failure(result: LoadResult, error: SyncError | None) -> dict[str, str]:
    """Return a record that is not in Xero, why, and what comes next."""
    return {
        "order": result.order_name or "",
        "record": _label(Kind(result.kind), result.natural_key, result.shopify_id),
        "reason": result.reason,
        "can a retry help?": "yes" if result.retryable else "no",
        "attempts": str(error.attempts if error else result.attempts),
        "next try": f"{error.next_attempt_at:%d %b %H:%M} UTC"
        if error and error.next_attempt_at
        else "with the next load",
        "request": result.correlation_id or "",
    }


def _order(row: OrderRow) -> dict[str, str]:
    return {
        "order": row.order_name,
        "outcome": row.outcome,
        "reason": row.reason,
        "Shopify": f"{_exact(row.sales)} / {_exact(row.money)}",
        "mapping": f"{_exact(row.mapped_sales)} / {_exact(row.mapped_money)}",
        "Xero": f"{_exact(row.xero_sales)} / {_exact(row.xero_money)}",
        "problems": "; ".join(row.problems) or row.left,
    }


def _orphan(order: OrphanedOrder, record: OrphanedRecord) -> dict[str, str]:
    return {
        "order": order.order_name or order.order_id,
        "record": record.name,
        "dated": str(record.dated),
        "amount": f"{_exact(record.amount)} {record.currency}",
        "state": record.state,
        "why": order.reason,
        "decision": ": ".join(filter(None, (order.decision, order.remedy))),
        "page": xero_page(record.kind, record.xero_id) or "" if record.is_live else "",
    }


def _columns(day: DayReconciliation) -> str:
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


def _told(bad: Sequence[str], count: int, noun: str, what: str) -> str:
    """Say in a sentence how many of all are bad, and name the first of them."""
    if not bad:
        return f"{count} looked at, nothing found"
    more = f" and {len(bad) - MAX_NAMES} more" if len(bad) > MAX_NAMES else ""
    return f"{len(bad)} of {count_of(count, noun)} {what}: {', '.join(bad[:MAX_NAMES])}{more}"


def _counts(found: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(found).items())) or "none"


def _exact(amount: Decimal) -> str:
    """Return an amount with two decimals, or with all it has if they are more."""
    cents = round(amount, 2)
    return f"{cents if cents == amount else amount:,f}"


def _plain(amount: Decimal) -> str:
    return f"{amount:.2f}"
