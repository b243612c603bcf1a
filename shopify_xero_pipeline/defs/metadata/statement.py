"""What the Dagster UI shows of a reconciled day's books: the statement, what ties it together, three columns by day.

Only rendering belongs here, ids and amounts and nothing about a customer. The chart is a drawing inside the Markdown,
as the UI has no charts but its plots of single numbers, for which the totals are given as floats beside the exact text.
The UI shows Markdown in place only up to 1,000 characters, so the drawing is terse and its legend stands below it.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import dagster as dg

from shopify_xero_pipeline.observability.escaping import escape_markdown
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import AccountNames, StatementSection
from shopify_xero_pipeline.reconciliation.statements import (
    NAMES,
    Columns,
    Statement,
    StatementLine,
    build_statements,
    section_amounts,
)

COLOURS = {"green": "#5a3", "grey": "#999", "blue": "#1be"}
BAR, STEP, HEIGHT = 8, 30, 100
MAX_UNBALANCED_ORDERS, MAX_UNEQUAL_DAYS = 20, 4
PARTS = ("", "what", "account", *NAMES, "difference")


def statement_metadata(
    day: DayReconciliation, recent: Sequence[DayReconciliation], chart: AccountNames
) -> dict[str, Any]:
    """Return a day's metadata: for each currency statement, identities, chart and totals to plot.

    Args:
        day: the day.
        recent: the day and those before it, as far as they are to be drawn.
        chart: names of accounts.
    """
    shown: dict[str, Any] = {}
    for statement in build_statements(day.movements, day.broken, chart):
        currency = statement.currency
        drawn = [(one.day, document_totals(one, currency)) for one in recent]
        shown[f"statement in {currency}"] = statement_table(statement)
        shown[f"what ties it together in {currency}"] = dg.MetadataValue.md(control_totals(statement))
        shown[f"documents by day in {currency}"] = dg.MetadataValue.md(render_bar_chart(drawn, currency))
    return shown or {"statement": dg.MetadataValue.md("nothing posted")}


def statement_table(statement: Statement) -> dg.TableMetadataValue:
    """Return a statement as a table."""
    rows, side = [], None
    for line in statement.lines:
        rows.append(dg.TableRecord(_row(line, "" if line.side is side else line.side.value)))
        side = line.side
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in PARTS])
    return dg.MetadataValue.table(records=rows, schema=schema)


def control_totals(statement: Statement) -> str:
    """Return what must add up, spelled with its figures, and every order that breaks it."""
    lines = [
        f"- {'ok' if one.agrees else '**broken**'}, {one.column}: {escape_markdown(one.text)}"
        for one in statement.identities
    ]
    lines += [
        f"- **{escape_markdown(one.order_name)}**: {escape_markdown(one.text)}"
        for one in statement.broken[:MAX_UNBALANCED_ORDERS]
    ]
    more = len(statement.broken) - MAX_UNBALANCED_ORDERS
    return "\n".join(lines + ([f"- … and {more} more"] if more > 0 else []))


def document_totals(day: DayReconciliation, currency: str) -> Columns:
    """Return what a day's documents add up to in one currency, credit notes negative."""
    return section_amounts(
        one for one in day.movements if one.side is StatementSection.DOCUMENTS and one.currency == currency
    )


def render_bar_chart(days: Sequence[tuple[date, Columns]], currency: str) -> str:
    """Return three bars for each day as a Markdown image, with a legend that names the days that do not agree."""
    figures = [amount for _, columns in days for amount in columns]
    top, low = max([*figures, Decimal(0)]), min([*figures, Decimal(0)])
    scale = HEIGHT / ((top - low) or Decimal(1))
    floor = round(top * scale)
    paths = "".join(
        f"<path stroke='{colour}' d='{_bars([columns[place] * scale for _, columns in days], place, floor)}'/>"
        for place, colour in enumerate(COLOURS.values())
    )
    size = f"width='{STEP * len(days)}' height='{HEIGHT}' stroke-width='{BAR - 1}'"
    svg = quote(f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{paths}</svg>", safe="/:=',")
    return f"![chart](data:image/svg+xml;utf8,{svg})\n\n{_legend(days, top, currency)}"


def _bars(heights: Sequence[Decimal], place: int, floor: int) -> str:
    """Return one column's bars as a path: from the floor, up for a day of invoices, down for one of credit notes."""
    lefts = (BAR // 2 + place * BAR + number * STEP for number in range(len(heights)))
    return "".join(
        f"M{left},{floor}v{-round(height)}" for left, height in zip(lefts, heights, strict=True) if round(height)
    )


def _legend(days: Sequence[tuple[date, Columns]], top: Decimal, currency: str) -> str:
    names = ", ".join(f"{name} {colour}" for name, colour in zip(NAMES, COLOURS, strict=True))
    span = f"{days[0][0]:%d.%m.} to {days[-1][0]:%d.%m.}, highest {top:,.2f} {currency}" if days else "no day"
    unequal = [f"{day:%d.%m.}" for day, columns in days if len(set(columns)) > 1]
    more = f" and {len(unequal) - MAX_UNEQUAL_DAYS} more" if len(unequal) > MAX_UNEQUAL_DAYS else ""
    named = f"; not equal: {', '.join(unequal[:MAX_UNEQUAL_DAYS])}{more}" if unequal else ""
    return f"{names}; {span}{named}"


def _row(line: StatementLine, part: str) -> dict[str, str]:
    figures: Iterable[Decimal | None] = (line.shopify, line.mapping, line.xero, line.difference)
    cells = (part, line.what, line.account, *("" if amount is None else f"{amount:,.2f}" for amount in figures))
    return dict(zip(PARTS, cells, strict=True))
