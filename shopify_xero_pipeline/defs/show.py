"""What people see of a run in the Dagster UI: counts, tables, readable diffs, money by currency, links to both sides.

Only rendering belongs here, and only ids, amounts, counts and order names are ever shown: a customer's name, address,
e-mail or telephone never reaches the event log. Tables are capped; the full list is in the stored change-set and in
the state store.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import dagster as dg

from shopify_xero_pipeline.changes.agreement import OUTCOMES, agreement
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.reconciliation import DayReconciliation, OrderRow
from shopify_xero_pipeline.changes.rollup import by_currency, totals
from shopify_xero_pipeline.defs.report import Verdict
from shopify_xero_pipeline.pages import order_page, xero_page
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import SyncError
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.report import LoadResult

SHOWN, NAMED = 50, 5
HIDDEN = "…"
NOT_IN_XERO = ("failed", "conflict", "postponed")
"""Outcomes of orders that the books want posted, and of which something is missing in Xero."""


class Links:
    """Builds Markdown links to the shop's admin and to Xero."""

    def __init__(self, shop_domain: str) -> None:
        self._shop_domain = shop_domain

    def order(self, order_id: str | None, text: str | None) -> str:
        """Return a Markdown link to an order, or just its text."""
        if order_id is None:
            return text or ""
        return f"[{text or order_id}]({order_page(self._shop_domain, order_id)})"

    def xero(self, kind: Kind, xero_id: str | None, text: str) -> str:
        """Return a Markdown link to a record in Xero, or just its text."""
        page = xero_page(kind, xero_id)
        return f"[{text}]({page})" if page else text


def orders(found: Sequence[Order]) -> dict[str, Any]:
    """Describe a day's extracted orders: how many, and what they are worth now."""
    sales = by_currency((order.currency_code, order.current_total_price_set.shop_money.amount) for order in found)
    return {"dagster/row_count": len(found)} | money("sales now", sales)


def rows(found: Sequence[object]) -> dict[str, Any]:
    """Describe a day's extracted customers or products: how many."""
    return {"dagster/row_count": len(found)}


def change_set(plan: ChangeSet, links: Links) -> dict[str, Any]:
    """Describe a day's plan: counts by action, the plan as a table and as a readable diff, money by currency."""
    counts = Counter(line.action for line in plan.changes)
    telling = [line for line in plan.changes if line.action is not Action.UNCHANGED]
    planned = [line for line in plan.changes if line.action in {Action.CREATE, Action.ADOPT}]
    return {
        "dagster/row_count": len(plan.changes),
        "plan": _table(_plan_record(line) for line in telling),
        "diff": dg.MetadataValue.md(_diff(telling, links)),
        **money("money planned", by_currency((line.currency, line.amount) for line in planned)),
        **{action.value: counts[action] for action in Action},
    }


def load(results: Sequence[LoadResult]) -> dict[str, Any]:
    """Describe what a load did on a day: counts by outcome, money by currency."""
    counts = Counter(result.outcome.value for result in results)
    posted = [result for result in results if result.outcome in {"created", "adopted"}]
    outcomes = ("created", "updated", "adopted", "deleted", "unchanged", "failed", "postponed")
    return {
        "dagster/row_count": len(results),
        **money("money posted", by_currency((result.currency, result.amount) for result in posted)),
        **{outcome: counts[outcome] for outcome in outcomes},
    }


def all_loaded(results: Sequence[LoadResult], links: Links, errors: Iterable[SyncError]) -> Verdict:
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
    return Verdict(not bad, says, {"failures": _failures(bad, links, known)})


def verdict(check: str, day: DayReconciliation, links: Links) -> Verdict:
    """Return whether a check of reconciliation passed on a day, and the orders that broke it.

    Blocked orders break none, as each has its reason; but no check speaks of the day without them.
    """
    broken = {
        "every_order_accounted_for": [row for row in day.rows if row.outcome in NOT_IN_XERO or row in day.unaccounted],
        "totals_equal": day.unequal,
        "nothing_extra": [row for row in day.rows if row.extra or row.lost],
    }[check]
    says = _told([row.order_name for row in broken], len(day.rows), "order", "to look at")
    return Verdict(not broken, f"{says}{_not_in_the_books(day)}", {"orders": order_table(broken, links)})


def _not_in_the_books(day: DayReconciliation) -> str:
    blocked = agreement([day]).of("blocked")
    more = f" and {blocked.count - NAMED} more" if blocked.count > NAMED else ""
    named = f"{', '.join(blocked.named)}{more}"
    return f"; {blocked.says} {blocked.are} blocked and not in the books: {named}" if blocked.count else ""


def reconciliation(day: DayReconciliation, links: Links) -> dict[str, Any]:
    """Describe a day's three columns: orders by outcome, totals by currency, and every order that does not agree."""
    return {
        "dagster/row_count": len(day.rows),
        "verdict": agreement([day]).says,
        "columns": dg.MetadataValue.md(_columns(day)),
        "not equal": order_table(day.unequal, links),
        "not posted": order_table([row for row in day.rows if row.outcome != "posted"], links),
        "difference": _plain(day.difference),
        "lost": day.lost,
        "extra": day.extra,
        **{outcome: day.count(outcome) for outcome in OUTCOMES},
    }


def order_table(found: Sequence[OrderRow], links: Links) -> dg.MarkdownMetadataValue:
    """Return orders with their outcome, reason and arithmetic."""
    if not found:
        return dg.MetadataValue.md("none")
    head = "| order | outcome | reason | Shopify | mapping | Xero | problems |\n|---|---|---|---|---|---|---|\n"
    return dg.MetadataValue.md(head + _capped(found, lambda row: _order(row, links)))


def money(name: str, totals: Mapping[str, Decimal]) -> dict[str, Any]:
    """Return amounts by currency, exact as text, and each as a number beside it, as the UI plots nothing else."""
    return {name: money_table(totals)} | {f"{name} in {one}": plotted(amount) for one, amount in totals.items()}


def plotted(amount: Decimal) -> dg.FloatMetadataValue:
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


def _table(records: Iterable[dict[str, str]]) -> dg.MetadataValue[Any]:
    found = list(records)
    if not found:
        return dg.MetadataValue.md("nothing to do")
    columns = [dg.TableColumn(name) for name in found[0]]
    shown = [dg.TableRecord(dict(record)) for record in found[:SHOWN]]
    return dg.MetadataValue.table(records=shown, schema=dg.TableSchema(columns=columns))


def _diff(lines: Sequence[Change], links: Links) -> str:
    blocks = [_diff_block(line, links) for line in lines[:SHOWN]]
    more = f"\n\n… and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return "\n\n".join(blocks) + more if blocks else "nothing to do"


def _diff_block(line: Change, links: Links) -> str:
    signs = {Action.CREATE: "+", Action.UPDATE: "~", Action.ADOPT: "=", Action.DELETE: "-", Action.CONFLICT: "!"}
    title = (
        f"**{signs.get(line.action, '·')} {line.action.value} {_label(line.kind, line.natural_key, line.shopify_id)}**"
    )
    order = f" for order {links.order(line.order_id, line.order_name)}" if line.order_id else ""
    body = "\n".join(_diff_line(line, field.field, field.before, field.after) for field in line.fields)
    fenced = f"\n```diff\n{body}\n```" if body else ""
    return f"{title}{order}{': ' + line.reason if line.reason else ''}{fenced}"


def _diff_line(line: Change, field: str, before: str | None, after: str | None) -> str:
    if line.kind is Kind.CONTACT:
        before, after = (HIDDEN if before else before), (HIDDEN if after else after)
    removed = [f"- {field}: {before}"] if before is not None else []
    added = [f"+ {field}: {after}"] if after is not None else []
    return "\n".join(removed + added)


def _label(kind: Kind, natural_key: str, shopify_id: str) -> str:
    return f"{kind.value.replace('_', ' ')} {natural_key or shopify_id}"


def _failures(
    bad: Sequence[LoadResult], links: Links, errors: Mapping[tuple[str, str], SyncError]
) -> dg.MarkdownMetadataValue:
    """Return the table of records that are not in Xero, why, and what comes next, with links to both sides."""
    if not bad:
        return dg.MetadataValue.md("none")
    head = "| order | record | reason | can a retry help? | attempts | next try | request |"
    lines = _capped(bad, lambda one: _failure(one, links, errors.get((one.kind, one.shopify_id))))
    return dg.MetadataValue.md(f"{head}\n|---|---|---|---|---|---|---|\n{lines}")


def _failure(result: LoadResult, links: Links, error: SyncError | None) -> str:
    label = _label(Kind(result.kind), result.natural_key, result.shopify_id)
    record = links.xero(Kind(result.kind), result.xero_id, _cell(label))
    retry = "yes" if result.retryable else "no"
    order = links.order(result.order_id, _cell(result.order_name or ""))
    when = f"{error.next_try:%d %b %H:%M} UTC" if error and error.next_try else "with the next load"
    tries = str(error.attempts if error else result.attempts)
    cells = (order, record, _cell(result.reason), retry, tries, when, result.correlation_id or "")
    return f"| {' | '.join(cells)} |"


def _order(row: OrderRow, links: Links) -> str:
    cells = (
        links.order(row.order_id, _cell(row.order_name)),
        row.outcome,
        _cell(row.reason),
        f"{_exact(row.sales)} / {_exact(row.money)}",
        f"{_exact(row.mapped_sales)} / {_exact(row.mapped_money)}",
        f"{_exact(row.xero_sales)} / {_exact(row.xero_money)}",
        _cell("; ".join(row.problems)),
    )
    return f"| {' | '.join(cells)} |"


def _columns(day: DayReconciliation) -> str:
    names = ["sales", "mapped_sales", "xero_sales", "money", "mapped_money", "xero_money"]
    posted = [row.model_dump(include={"currency", *names}) for row in day.rows if row.outcome == "posted"]
    if not posted:
        return "nothing posted"
    head = "| currency | | Shopify | mapping | Xero |\n|---|---|---|---|---|\n"
    lines = []
    for record in totals(posted, ["currency"], names).to_dict("records"):
        for label, columns in (("sales", names[:3]), ("money", names[3:])):
            lines.append(
                f"| {record['currency']} | {label} | {' | '.join(f'{record[name]:,.2f}' for name in columns)} |"
            )
    return head + "\n".join(lines)


T = TypeVar("T")


def _capped(found: Sequence[T], line: Callable[[T], str]) -> str:
    more = f"\n\n… and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "\n".join(line(item) for item in found[:SHOWN]) + more


def _told(bad: Sequence[str], count: int, noun: str, what: str) -> str:
    """Say in a sentence how many of all are bad, and name the first of them."""
    if not bad:
        return f"{count} looked at, nothing found"
    more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return f"{len(bad)} of {count} {noun}{'' if count == 1 else 's'} {what}: {', '.join(bad[:NAMED])}{more}"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _exact(amount: Decimal) -> str:
    """Return an amount with two decimals, or with all it has if they are more."""
    cents = round(amount, 2)
    return f"{cents if cents == amount else amount:,f}"


def _plain(amount: Decimal) -> str:
    return f"{amount:.2f}"
