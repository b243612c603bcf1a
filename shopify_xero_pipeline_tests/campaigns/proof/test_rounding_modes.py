"""Tests that Xero's figures are Shopify's for both rounding modes of Xero and both tax modes."""

import json
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.shopify.models import Address, Order
from shopify_xero_pipeline_tests.campaigns.proof.agreement import disagreements
from shopify_xero_pipeline_tests.campaigns.proof.rounding import Rounding, prove
from shopify_xero_pipeline_tests.campaigns.proof.scale import SCALE, generated, modelled
from shopify_xero_pipeline_tests.campaigns.proof.synced import MODEL_BOOKS, TAX_ACCOUNTS
from shopify_xero_pipeline_tests.campaigns.proof.trade import Trade
from shopify_xero_pipeline_tests.support import stage
from shopify_xero_pipeline_tests.support.stage import staged

pytestmark = pytest.mark.campaign

BLOCKED = {"unmapped_tax", "unknown_gateway"}
SKIPPED = {"fully_discounted", "cancelled_unpaid", "terms_cancelled", "test_order", "voided"}


@pytest.fixture(scope="module")
def fortnight() -> tuple[GeneratedShop, Trade]:
    """Return a fortnight of all kinds of orders, a month later."""
    return generated(14 * SCALE, horizon=25)


@pytest.mark.parametrize(
    ("rounding", "tax_in_lines"),
    [
        ("half_up", False),
        ("half_even", True),
        pytest.param("half_up", True, marks=pytest.mark.long),
        pytest.param("half_even", False, marks=pytest.mark.long),
    ],
    ids=["half_up-rates", "half_even-lines", "half_up-lines", "half_even-rates"],
)
def test_every_kind_of_order_is_in_xero_to_the_cent(
    tmp_path: Path, fortnight: tuple[GeneratedShop, Trade], rounding: Rounding, tax_in_lines: bool
) -> None:
    shop, trade = fortnight
    proof = prove(tmp_path, shop, trade, rounding=rounding, tax_in_lines=tax_in_lines)
    assert proof.problems == []
    kinds = {node["name"]: shop.kind_of(gid) for gid, node in trade.nodes.items()}
    for name, (action, reason) in proof.left_alone.items():
        assert reason
        expected = {"blocked": BLOCKED, "skipped": SKIPPED, "waiting": {"unpaid_waiting"}}[action]
        assert kinds[name] in expected, f"{name} ({kinds[name]}) is {action}: {reason}"
    assert proof.orders - len(proof.left_alone) > 130 * SCALE


@pytest.mark.parametrize(
    ("seed", "rounding", "tax_in_lines"),
    [(1, "half_even", False), (1_000_001, "half_up", True)],
    ids=["rates", "lines"],
)
def test_any_history_of_the_model_is_in_xero_to_the_cent(
    tmp_path: Path, seed: int, rounding: Rounding, tax_in_lines: bool
) -> None:
    """Test the two pairs of modes that the test of all kinds of orders leaves out in `make test`."""
    shop, trade = modelled(80 * SCALE, seed)
    proof = prove(tmp_path, shop, trade, rounding=rounding, tax_in_lines=tax_in_lines, changed=MODEL_BOOKS)
    assert proof.problems == []
    odd = {f"#{history.number}" for history in shop.histories if history.last.facts.weird}
    assert {name for name, (action, _) in proof.left_alone.items() if action == "blocked"} <= odd
    assert proof.orders - len(proof.left_alone) > 40 * SCALE


class TaxLeftToXero(InProcessTransport):
    """A transport without TaxAmount, like some integrations; Xero then computes each tax itself."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        if b'"LineItems"' in body:
            sent = json.loads(body, parse_float=Decimal, parse_int=Decimal)
            for documents in sent.values():
                for line in (line for document in documents for line in document["LineItems"]):
                    line.pop("TaxAmount")
            headers = {name: text for name, text in request.headers.items() if name != "content-length"}
            body = json.dumps(sent, default=float).encode()
            request = httpx.Request(request.method, request.url, headers=headers, content=body)
        return super().handle_request(request)


@pytest.mark.parametrize("rounding", ["half_up", "half_even"])
def test_tax_left_to_xero_would_not_be_shopifys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounding: Rounding
) -> None:
    monkeypatch.setattr(stage, "InProcessTransport", TaxLeftToXero)
    shop, trade = modelled(15)
    proof = prove(tmp_path, shop, trade, rounding=rounding, changed=MODEL_BOOKS)
    assert any(" has tax " in problem for problem in proof.problems)


def test_orders_read_at_once_are_the_orders_the_sync_service_reads(tmp_path: Path) -> None:
    shop, trade = generated(1, horizon=10)
    with staged(tmp_path, trade.until, shop) as house:
        sync_service, seen = house.sync_service, trade.seen(trade.days, trade.until)
        by_id = {
            order.id: order for orders in sync_service.extractor.read_orders(trade.days).values() for order in orders
        }
        assert by_id == {order.id: _as_read(order) for orders in seen.orders.values() for order in orders}
        for read, at_once in (
            (sync_service.extractor.read_customers(trade.days), seen.customers),
            (sync_service.extractor.read_products(trade.days), seen.products),
        ):
            assert {day: sorted(record.id for record in records) for day, records in read.items()} == {
                day: sorted(record.id for record in records) for day, records in at_once.items()
            }


def _as_read(order: Order) -> Order:
    """Return an order with the parts of its addresses that are read: its own country and province."""
    customer = order.customer
    if customer is not None and customer.default_address is not None:
        address = customer.default_address.model_copy(update={"province_code": None})
        customer = customer.model_copy(update={"default_address": address})
    read = {"billing_address": _place(order.billing_address), "shipping_address": _place(order.shipping_address)}
    return order.model_copy(update={"customer": customer, **read})


def _place(address: Address | None) -> Address | None:
    return address and Address(country_code_v2=address.country_code_v2, province_code=address.province_code)


# The comparison itself: each figure that differs by a cent is named --------------------------------------------------

ORDER = {
    "id": "gid://shopify/Order/7",
    "name": "#7",
    "fullyPaid": True,
    "originalTotalPriceSet": {"shopMoney": {"amount": "70.0"}},
    "totalOutstandingSet": {"shopMoney": {"amount": "0.0"}},
    "transactions": [],
    "agreements": {
        "nodes": [
            {
                "id": "gid://shopify/SalesAgreement/1",
                "reason": "ORDER",
                "sales": {
                    "nodes": [
                        {
                            "totalAmount": {"shopMoney": {"amount": "70.0"}},
                            "totalTaxAmount": {"shopMoney": {"amount": "6.36"}},
                            "taxes": [],
                        }
                    ]
                },
            }
        ]
    },
}
INVOICE = {
    "Type": "ACCREC",
    "InvoiceNumber": "SH-7",
    "Reference": "#7 shopify:7/1",
    "Total": "70.00",
    "TotalTax": "6.36",
    "AmountDue": "0.00",
    "Status": "PAID",
    "LineItems": [],
}


def compare(change: Callable[[dict[str, Any]], Any]) -> list[str]:
    invoice = deepcopy(INVOICE)
    change(invoice)
    return list(disagreements([ORDER], [invoice], TAX_ACCOUNTS))


def test_an_invoice_like_its_order_is_agreed_with() -> None:
    assert compare(lambda invoice: None) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("Total", "70.01", "#7: SH-7 is of 70.01, in Shopify 70.0"),
        ("TotalTax", "6.37", "#7: SH-7 has tax 6.37 + 0 on lines, in Shopify 6.36"),
        ("AmountDue", "0.01", "#7: 0.01 is due in Xero, in Shopify 0.0"),
        ("Status", "AUTHORISED", "#7: invoices are not PAID, Shopify calls the order paid"),
        ("Reference", "#7 shopify:7/2", "#7: agreement 1 of 70.0 has no document"),
    ],
)
def test_a_figure_that_is_off_is_named(field: str, value: str, words: str) -> None:
    assert words in compare(lambda invoice: invoice.update({field: value}))
