"""What the Dagster UI shows of a day's books: statement, control totals, chart."""

import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from shopify_xero_pipeline.defs.metadata.statement import statement_metadata
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import AccountNames, Movement, StatementSection, UnbalancedOrder
from shopify_xero_pipeline_tests.defs.metadata.shown import text
from shopify_xero_pipeline_tests.support.rows import DAY

CHART = AccountNames({"200": "Sales", "601": "Card Clearing"})
SVG = "{http://www.w3.org/2000/svg}"


def movement(
    side: StatementSection, key: str, category: str, amount: str, xero: str | None = None, **more: Any
) -> list[Movement]:
    """Return what all three columns say, unless Xero says something else."""
    plain = {"posted": DAY, "currency": "NZD", "side": side, "key": key, **more}
    theirs = amount if xero is None else xero
    return [
        Movement(**plain, category=category, shopify=Decimal(amount)),
        Movement(**plain, mapping=Decimal(amount), xero=Decimal(theirs)),
    ]


def reconciled(day: date = DAY, xero: str = "23.00", **more: Any) -> DayReconciliation:
    """Return a day that sold one thing for 23.00, tax included."""
    found = [
        *movement(StatementSection.SALES, "200", "goods sold", "20.00", **more),
        *movement(StatementSection.TAX, "OUTPUT2", "GST 15 %", "3.00", **more),
        *movement(StatementSection.DOCUMENTS, "invoices", "invoices", "23.00", xero, **more),
        *movement(StatementSection.PAYMENTS, "601", "shopify_payments", "23.00", **more),
    ]
    broken = UnbalancedOrder(
        order_id="1", order_name="#1001", posted=day, currency="NZD", text="invoices: 23.00, 22.99"
    )
    return DayReconciliation(day=day, rows=(), movements=tuple(found), broken=() if xero == "23.00" else (broken,))


def svg(shown: Any) -> ET.Element:
    head, _, rest = text(shown).partition("utf8,")
    assert head == "![chart](data:image/svg+xml;"
    return ET.fromstring(unquote(rest.partition(")")[0]))


def bars(drawn: ET.Element) -> list[str | None]:
    """Return the path of each column: Shopify, mapping, Xero."""
    return [one.get("d") for one in drawn.iter(f"{SVG}path")]


def test_a_day_shows_its_statement_by_category_and_account() -> None:
    shown = statement_metadata(reconciled(), [reconciled()], CHART)
    rows = [tuple(record.data.values()) for record in shown["statement NZD"].records]
    assert rows == [
        ("sales", "goods sold", "200 Sales", "20.00", "20.00", "20.00", "0.00"),
        ("tax", "GST 15 %", "OUTPUT2", "3.00", "3.00", "3.00", "0.00"),
        ("documents", "invoices", "", "23.00", "23.00", "23.00", "0.00"),
        ("payments", "shopify_payments", "601 Card Clearing", "23.00", "23.00", "23.00", "0.00"),
    ]


def test_of_categories_that_share_an_account_only_shopify_knows_the_parts() -> None:
    day = reconciled()
    less = Movement(
        posted=DAY,
        currency="NZD",
        side=StatementSection.SALES,
        key="200",
        category="discounts",
        shopify=Decimal("-1.00"),
    )
    shown = statement_metadata(day.model_copy(update={"movements": (*day.movements, less)}), [], CHART)
    assert [tuple(record.data.values()) for record in shown["statement NZD"].records][:3] == [
        ("sales", "goods sold", "200 Sales", "20.00", "", "", ""),
        ("", "discounts", "200 Sales", "-1.00", "", "", ""),
        ("", "together", "200 Sales", "19.00", "20.00", "20.00", "1.00"),
    ]


def test_a_day_shows_its_control_totals() -> None:
    shown = statement_metadata(reconciled(), [reconciled()], CHART)
    assert text(shown["control totals NZD"]).splitlines() == [
        "- ok, Shopify: goods sold 20.00 + GST 15 % 3.00 = documents 23.00",
        "- ok, mapping and Xero: 200 Sales 20.00 + OUTPUT2 3.00 = documents 23.00",
        "- ok, Shopify and mapping and Xero: documents 23.00 = payments 23.00 + refunds 0.00 + outstanding 0.00",
    ]


def test_a_control_total_that_differs_and_the_unbalanced_order_are_named() -> None:
    shown = statement_metadata(reconciled(xero="22.99"), [], CHART)
    lines = text(shown["control totals NZD"]).splitlines()
    assert "- **differs**, Xero: 200 Sales 20.00 + OUTPUT2 3.00 = documents 22.99 (off by 0.01)" in lines
    assert lines[-1] == "- **#1001**: invoices: 23.00, 22.99"


def test_of_21_broken_orders_20_are_named_and_one_is_counted() -> None:
    day = reconciled(xero="22.99")
    shown = statement_metadata(day.model_copy(update={"broken": day.broken * 21}), [], CHART)
    assert text(shown["control totals NZD"]).splitlines()[-1] == "- … and 1 more"


def test_each_day_is_drawn_as_three_bars_and_one_that_does_not_agree_is_named() -> None:
    earlier, later = reconciled(date(2026, 9, 20)), reconciled(DAY, xero="11.50")
    shown = statement_metadata(later, [earlier, later], CHART)["daily totals NZD"]
    assert bars(svg(shown)) == ["M4,100v-100M34,100v-100", "M12,100v-100M42,100v-100", "M20,100v-100M50,100v-50"]
    assert text(shown).endswith(
        "\n\nShopify green, mapping grey, Xero blue; 20.09. to 21.09., highest 23.00 NZD; unbalanced: 21.09."
    )


def test_a_day_of_credit_notes_is_drawn_below_the_line() -> None:
    credited = movement(StatementSection.DOCUMENTS, "credit notes", "credit notes", "-23.00")
    day = DayReconciliation(day=DAY, rows=(), movements=tuple(credited))
    shown = statement_metadata(day, [reconciled(date(2026, 9, 20)), day], CHART)["daily totals NZD"]
    assert bars(svg(shown))[0] == "M4,50v-50M34,50v50"
    assert text(shown).endswith("highest 23.00 NZD")


def test_of_many_days_that_do_not_agree_four_are_named() -> None:
    days = [reconciled(date(2026, 9, number), xero="1.00") for number in range(1, 7)]
    shown = statement_metadata(days[-1], days, CHART)["daily totals NZD"]
    assert text(shown).endswith("; unbalanced: 01.09., 02.09., 03.09., 04.09. and 2 more")


def test_a_fortnight_is_drawn_short_enough_for_the_ui_to_show_it_in_place() -> None:
    plain = movement(StatementSection.DOCUMENTS, "invoices", "invoices", "12345.67", "12345.66")
    day = DayReconciliation(day=DAY, rows=(), movements=tuple(plain))
    days = [day.model_copy(update={"day": date(2026, 9, number)}) for number in range(1, 15)]
    assert len(text(statement_metadata(day, days, CHART)["daily totals NZD"])) < 1000


def test_each_currency_is_shown_by_itself() -> None:
    day = reconciled()
    both = day.model_copy(update={"movements": (*day.movements, *reconciled(currency="AUD").movements)})
    names = [name for name in statement_metadata(both, [both], CHART) if name.startswith("statement")]
    assert names == ["statement AUD", "statement NZD"]


def test_a_day_on_which_nothing_is_posted_says_so() -> None:
    assert text(statement_metadata(DayReconciliation(day=DAY, rows=()), [], CHART)["statement"]) == "nothing posted"
