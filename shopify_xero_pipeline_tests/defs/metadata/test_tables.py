"""Links to the orders of the shop and to the records of Xero, and amounts by currency."""

from decimal import Decimal

import dagster as dg
import pytest

from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.defs.metadata.shown import LINKS, ORDER_LINK, result, text
from shopify_xero_pipeline_tests.support.rows import TEN


def test_orders_link_to_the_shops_admin() -> None:
    assert LINKS.order_link("5001", "#1001") == ORDER_LINK
    assert LINKS.order_link("5001", None) == "[5001](https://admin.shopify.com/store/goods/orders/5001)"
    assert LINKS.order_link(None, "#1001") == "#1001"
    assert LINKS.order_link(None, None) == ""


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (Kind.CONTACT, "https://go.xero.com/Contacts/View/x-1"),
        (Kind.INVOICE, "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1"),
        (Kind.CREDIT_NOTE, "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID=x-1"),
    ],
)
def test_records_link_to_xero_once_they_are_there(kind: Kind, page: str) -> None:
    posted, refused = result(kind=kind, xero_id="x-1", natural_key="it"), result(kind=kind)
    name = f"{kind.value.replace('_', ' ')} it in Xero"
    assert LINKS.record_pages([posted, refused]) == {name: dg.MetadataValue.url(page)}


def test_an_allocation_has_no_page_of_its_own() -> None:
    assert LINKS.record_pages([result(kind=Kind.ALLOCATION, xero_id="x-1")]) == {}


def test_the_pages_of_the_first_five_orders_are_links_and_each_order_has_one() -> None:
    found = LINKS.order_pages([("5001", "#1001"), ("5001", "#1001"), (None, ""), ("5002", "")])
    assert {name: page.value for name, page in found.items()} == {
        "#1001 in Shopify": "https://admin.shopify.com/store/goods/orders/5001",
        "5002 in Shopify": "https://admin.shopify.com/store/goods/orders/5002",
    }
    assert len(LINKS.order_pages([(str(number), f"#{number}") for number in range(6)])) == 5


def test_money_is_shown_exactly_and_plotted_by_currency() -> None:
    shown = tables.money_metadata("posted amount", {"NZD": TEN, "AUD": Decimal("1234.5")})
    assert text(shown.pop("posted amount")) == "1,234.50 AUD  \n10.00 NZD"
    assert shown == {
        "posted amount NZD": dg.FloatMetadataValue(10.0),
        "posted amount AUD": dg.FloatMetadataValue(1234.5),
    }


def test_money_is_shown_by_currency() -> None:
    assert text(tables.money_table({"NZD": TEN, "AUD": Decimal("1234.5")})) == "1,234.50 AUD  \n10.00 NZD"
    assert text(tables.money_table({})) == "none"
