"""Metadata of a reconciled day's books: statement, control totals, and a bar chart of recent days.

The UI only plots single numbers, so the chart is an SVG image in Markdown. The UI displays Markdown in place only up to
1,000 characters, so the SVG is terse and the legend is text below it.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import dagster as dg

from shopify_xero_pipeline.defs.metadata.tables import record_table
from shopify_xero_pipeline.observability.escaping import escape_markdown
from shopify_xero_pipeline.pipeline.record_views import join_first, statement_table
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import AccountNames, StatementSection
from shopify_xero_pipeline.reconciliation.statements import (
    NAMES,
    Columns,
    Statement,
    build_statements,
    section_amounts,
)

COLOURS = {"green": "#5a3", "grey": "#999", "blue": "#1be"}  # in the order of NAMES
BAR, STEP, HEIGHT = 8, 30, 100  # pixels: distance of bars, distance of days, height of the chart
MAX_UNBALANCED_ORDERS, MAX_UNEQUAL_DAYS = 20, 4


def statement_metadata(
    day: DayReconciliation, recent: Sequence[DayReconciliation], account_names: AccountNames
) -> dict[str, Any]:
    """Return statement, control totals and chart of a day by currency.

    Args:
        day: the reconciled day.
        recent: the days of the chart, in order; the last one is `day`.
        account_names: names of Xero's accounts by code.
    """
    metadata: dict[str, Any] = {}
    for statement in build_statements(day.movements, day.broken, account_names):
        currency = statement.currency
        totals = [(recent_day.day, document_totals(recent_day, currency)) for recent_day in recent]
        metadata[f"statement {currency}"] = record_table(statement_table(statement))
        metadata[f"control totals {currency}"] = dg.MetadataValue.md(control_totals(statement))
        metadata[f"daily totals {currency}"] = dg.MetadataValue.md(render_bar_chart(totals, currency))
    return metadata or {"statement": dg.MetadataValue.md("nothing posted")}


def control_totals(statement: Statement) -> str:
    """Return the control totals with their figures and the first 20 unbalanced orders, as a Markdown list."""
    lines = [
        f"- {'ok' if total.agrees else '**differs**'}, {total.column}: {escape_markdown(total.text)}"
        for total in statement.identities
    ]
    lines += [
        f"- **{escape_markdown(order.order_name)}**: {escape_markdown(order.text)}"
        for order in statement.broken[:MAX_UNBALANCED_ORDERS]
    ]
    more = len(statement.broken) - MAX_UNBALANCED_ORDERS
    return "\n".join(lines + ([f"- … and {more} more"] if more > 0 else []))


def document_totals(day: DayReconciliation, currency: str) -> Columns:
    """Return the sum of a day's documents in one currency by column; Credit Notes are negative."""
    return section_amounts(
        movement
        for movement in day.movements
        if movement.side is StatementSection.DOCUMENTS and movement.currency == currency
    )


def render_bar_chart(days: Sequence[tuple[date, Columns]], currency: str) -> str:
    """Return a bar chart with three bars for each day as a Markdown image, with a legend.

    Args:
        days: document totals by day, in the order of the days; the columns are those of `NAMES`.
        currency: currency of the totals.
    """
    amounts = [amount for _, columns in days for amount in columns]
    highest, lowest = max([*amounts, Decimal(0)]), min([*amounts, Decimal(0)])
    scale = HEIGHT / ((highest - lowest) or Decimal(1))
    floor = round(highest * scale)
    paths = "".join(
        f"<path stroke='{colour}' d='{_draw_bars([columns[place] * scale for _, columns in days], place, floor)}'/>"
        for place, colour in enumerate(COLOURS.values())
    )
    size = f"width='{STEP * len(days)}' height='{HEIGHT}' stroke-width='{BAR - 1}'"
    svg = quote(f"<svg xmlns='http://www.w3.org/2000/svg' {size}>{paths}</svg>", safe="/:=',")
    return f"![chart](data:image/svg+xml;utf8,{svg})\n\n{_build_legend(days, highest, currency)}"


def _draw_bars(heights: Sequence[Decimal], place: int, floor: int) -> str:
    """Return the bars of one column as an SVG path: upwards from the floor, or downwards for a negative total."""
    return "".join(
        f"M{BAR // 2 + place * BAR + number * STEP},{floor}v{-round(height)}"
        for number, height in enumerate(heights)
        if round(height)
    )


def _build_legend(days: Sequence[tuple[date, Columns]], highest: Decimal, currency: str) -> str:
    names = ", ".join(f"{name} {colour}" for name, colour in zip(NAMES, COLOURS, strict=True))
    span = f"{days[0][0]:%d.%m.} to {days[-1][0]:%d.%m.}, highest {highest:,.2f} {currency}" if days else "no day"
    unequal = [f"{day:%d.%m.}" for day, columns in days if len(set(columns)) > 1]
    unequal_days = f"; unbalanced: {join_first(unequal, MAX_UNEQUAL_DAYS)}" if unequal else ""
    return f"{names}; {span}{unequal_days}"
