"""The metadata of a reconciled day and of its checks: three columns by currency, and the orders that differ."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.defs.metadata import reconciliation, tables
from shopify_xero_pipeline.pipeline.record_views import order_rows_table
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline_tests.defs.metadata.shown import LINKS, rows_of, text
from shopify_xero_pipeline_tests.support.rows import DAY, INSTANT, order_row, orphaned_order


def test_a_day_shows_three_columns_by_currency_and_what_is_not_posted_or_not_equal() -> None:
    rows = (
        order_row(),
        order_row(order_name="#2|3", xero_sales=Decimal("9.99"), problems=("sales: 10, 10, 9.99",)),
        order_row(currency="AUD", sales=Decimal("1234.5")),
        order_row(outcome="blocked", reason="no rate", order_name="#4", xero_sales=Decimal(0)),
    )
    shown = reconciliation.reconciliation_metadata(DayReconciliation(day=DAY, rows=rows))
    assert text(shown["orders"]) == "1 blocked, 3 posted"
    assert shown["difference"] == "1,224.50 AUD, 0.01 NZD"
    columns = text(shown["three-way totals"])
    assert "| NZD | sales | 20.00 | 20.00 | 19.99 |" in columns
    assert "| NZD | money | 20.00 | 20.00 | 20.00 |" in columns
    assert "| AUD | sales | 1,234.50 | 10.00 | 10.00 |" in columns
    ((order, outcome, reason),) = ([*row.values()][:3] for row in rows_of(shown["unposted orders"]))
    assert (order, outcome, reason) == ("#4", "blocked", "no rate")
    assert [row["order"] for row in rows_of(shown["unbalanced orders"])] == ["#2|3"]


def test_the_orders_amounts_have_two_decimals_or_all_that_there_are() -> None:
    row = order_row(sales=Decimal("1237.3"), money=Decimal("0.0"), mapped_sales=Decimal(0), xero_money=Decimal("9.995"))
    (line,) = rows_of(tables.record_table(order_rows_table([row])))
    assert (line["Shopify"], line["mapping"], line["Xero"]) == ("1,237.30 / 0.00", "0.00 / 10.00", "10.00 / 9.995")


def test_a_day_on_which_nothing_is_posted_says_so() -> None:
    shown = reconciliation.reconciliation_metadata(DayReconciliation(day=DAY, rows=()))
    assert text(shown["three-way totals"]) == "nothing posted"
    assert text(shown["unposted orders"]) == text(shown["unbalanced orders"]) == "none"


@pytest.mark.parametrize(
    ("check", "row"),
    [
        ("every_order_accounted_for", order_row(outcome="failed", reason="refused")),
        ("every_order_accounted_for", order_row(outcome="waiting")),
        ("every_order_accounted_for", order_row(outcome="conflict", reason="a person paid it")),
        ("every_order_accounted_for", order_row(outcome="postponed", reason="Xero is away")),
        ("totals_equal", order_row(problems=("unequal",))),
        ("no_duplicates_or_missing", order_row(extra=1)),
        ("no_duplicates_or_missing", order_row(lost=1)),
    ],
)
def test_a_check_fails_for_the_orders_that_break_it_and_names_them(check: str, row: Any) -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(order_name="#9"), row))
    passed, says, shown = reconciliation.reconciliation_outcome(check, day, LINKS)
    assert (passed, says) == (False, "1 of 2 orders to look at: #1001")
    assert [row["order"] for row in rows_of(shown["orders"])] == ["#1001"]
    assert shown["#1001 in Shopify"].value == "https://admin.shopify.com/store/goods/orders/5001"
    passed, says, shown = reconciliation.reconciliation_outcome(
        check, DayReconciliation(day=DAY, rows=(order_row(),)), LINKS
    )
    assert (passed, says) == (True, "1 checked, no failures")
    assert text(shown["orders"]) == "none"


def test_no_duplicates_or_missing_fails_for_records_without_an_order_until_a_person_decides() -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(),), orphans=(orphaned_order(),))
    passed, says, shown = reconciliation.reconciliation_outcome("no_duplicates_or_missing", day, LINKS)
    assert (passed, says) == (False, "1 of 2 orders to look at: SH-2071")
    (line,) = rows_of(shown["orphans"])
    assert line["record"] == "SH-2071"
    assert line["page"] == "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"
    assert (line["date"], line["amount"], line["state"]) == ("2026-09-21", "46.00 NZD", "in Xero")
    assert line["reason"].startswith("deleted in Shopify")
    assert line["decision"].startswith("to be decided: void it, or keep it")
    assert reconciliation.reconciliation_outcome("totals_equal", day, LINKS).passed
    assert reconciliation.reconciliation_metadata(day)["undecided orphans"] == "1"

    decided = day.model_copy(update={"orphans": (orphaned_order(kept_because="written off", decided_at=INSTANT),)})
    passed, says, shown = reconciliation.reconciliation_outcome("no_duplicates_or_missing", decided, LINKS)
    assert (passed, says) == (True, "2 checked, no failures")
    (line,) = rows_of(shown["orphans"])
    assert line["decision"].startswith("left in Xero since 2026-09-21 00:00 UTC: written off")


def test_an_order_that_a_person_left_different_breaks_no_check_and_is_shown_with_the_reason() -> None:
    left = order_row(left="posted 1, now 2; left as it is in Xero: by hand", warnings=("tax on its first row",))
    day = DayReconciliation(day=DAY, rows=(left, order_row()))
    assert all(
        reconciliation.reconciliation_outcome(name, day, LINKS).passed
        for name in ("totals_equal", "no_duplicates_or_missing")
    )
    (line,) = rows_of(reconciliation.reconciliation_metadata(day)["accepted differences"])
    assert "by hand" in str(line)
    assert rows_of(reconciliation.reconciliation_metadata(day)["warnings"]) == [
        {"order": "#1001", "warning": "tax on its first row"}
    ]
    assert "accepted differences" not in reconciliation.reconciliation_metadata(
        DayReconciliation(day=DAY, rows=(order_row(),))
    )
