"""Tables, amounts, links and sentences that the metadata of plans, loads and reconciliations share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg

from shopify_xero_pipeline.loading.load_report import LoadResult
from shopify_xero_pipeline.observability.escaping import escape_markdown, to_one_line
from shopify_xero_pipeline.pipeline.record_links import order_page, xero_page
from shopify_xero_pipeline.pipeline.record_views import TableView, join_first, record_label
from shopify_xero_pipeline.reconciliation.verdict import count_of

MAX_TABLE_ROWS = 50
MAX_NAMES = 5  # in a sentence, and links beside a check


class Links:
    """Links to orders in Shopify's admin and to records in Xero. Parameters are texts without escaping."""

    def __init__(self, shop_domain: str) -> None:
        self._shop_domain = shop_domain

    def order_link(self, order_id: str | None, text: str | None) -> str:
        """Return a Markdown link to an order, or only the text if there is no id."""
        if order_id is None:
            return escape_markdown(text or "")
        return f"[{escape_markdown(text or order_id)}]({order_page(self._shop_domain, order_id)})"

    def order_pages(self, orders: Iterable[tuple[str | None, str]]) -> dict[str, Any]:
        """Return links to the first five orders as metadata entries.

        Args:
            orders: id and name of each order; orders without an id have no page.
        """
        names = {order_id: name for order_id, name in orders if order_id is not None}
        return {
            f"{to_one_line(name) or order_id} in Shopify": dg.MetadataValue.url(order_page(self._shop_domain, order_id))
            for order_id, name in [*names.items()][:MAX_NAMES]
        }

    def record_pages(self, results: Iterable[LoadResult]) -> dict[str, Any]:
        """Return links to those of the first five records that have a page in Xero, as metadata entries."""
        pages = [
            (record_label(result.kind, result.natural_key, result.shopify_id), xero_page(result.kind, result.xero_id))
            for result in results
        ]
        return {f"{to_one_line(name)} in Xero": dg.MetadataValue.url(page) for name, page in pages[:MAX_NAMES] if page}


def record_table(view: TableView, none: str = "none") -> dg.MetadataValue[Any]:
    """Return the first 50 rows of a table as a table of the UI, or the text `none` if it has no row.

    The UI displays a table in place wherever it displays metadata, and its cells as plain text. It displays Markdown of
    a check behind a button, however short it is.
    """
    if not view.rows:
        return dg.MetadataValue.text(none)
    rows = [[to_one_line(cell) for cell in row] for row in view.rows[:MAX_TABLE_ROWS]]
    if len(view.rows) > MAX_TABLE_ROWS:
        rows.append([f"… and {len(view.rows) - MAX_TABLE_ROWS} more", *[""] * (len(view.columns) - 1)])
    return dg.MetadataValue.table(
        records=[dg.TableRecord(dict(zip(view.columns, row, strict=True))) for row in rows],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in view.columns]),
    )


def money_metadata(name: str, totals: Mapping[str, Decimal]) -> dict[str, Any]:
    """Return amounts as exact text, and each also as a number for the plots of the UI.

    Args:
        name: name of the entry with the text; the number of NZD is `<name> NZD`.
        totals: amounts by currency.
    """
    numbers = {f"{name} {currency}": plot_value(amount) for currency, amount in totals.items()}
    return {name: money_table(totals)} | numbers


def plot_value(amount: Decimal) -> dg.FloatMetadataValue:
    """Return an amount as a float, which the UI only plots; the exact text is beside it."""
    return dg.FloatMetadataValue(float(amount))


def money_table(totals: Mapping[str, Decimal]) -> dg.MarkdownMetadataValue:
    """Return amounts by currency as Markdown, one line each."""
    lines = [f"{amount:,.2f} {currency}" for currency, amount in sorted(totals.items())]
    return dg.MetadataValue.md("  \n".join(lines) or "none")


def count_values(values: Iterable[str]) -> str:
    """Return how often each value occurs, such as `1 failed, 3 posted`."""
    return ", ".join(f"{count} {value}" for value, count in sorted(Counter(values).items())) or "none"


def summarise_failures(names: Sequence[str], total: int, noun: str, state: str) -> str:
    """Return the description of a check: the number of failures and the names of the first five.

    Args:
        names: names of the failed items.
        total: number of items checked.
        noun: the item, in the singular.
        state: what the failed items have in common, such as `not in Xero`.
    """
    if not names:
        return f"{total} checked, no failures"
    return f"{len(names)} of {count_of(total, noun)} {state}: {join_first(names, MAX_NAMES)}"
