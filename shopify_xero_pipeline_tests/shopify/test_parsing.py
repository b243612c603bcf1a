"""Tests of parsing: flattened connections, references by id, exact money, unknown enumeration values."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.shopify.errors import UnexpectedShapeError
from shopify_xero_pipeline.shopify.models import Customer
from shopify_xero_pipeline.shopify.parsing import parse_order, parse_record
from shopify_xero_pipeline_tests.support import nodes

LINE = {"id": "gid://shopify/LineItem/1"}


def test_an_order_is_flattened() -> None:
    sales = nodes.connection([nodes.sale(1, "-11.5", lineItem=LINE)])
    agreement = {**nodes.agreement(2, reason="REFUND"), "sales": sales, "refund": {"id": "gid://shopify/Refund/5"}}
    refund = nodes.refund(5, transactions=nodes.connection([{"id": "gid://shopify/OrderTransaction/2"}]))
    order = parse_order(
        nodes.order(
            1,
            agreements={"edges": [{"cursor": "c", "node": agreement}], "pageInfo": {}},
            lineItems=nodes.connection([nodes.line_item(1)]),
            refunds=[refund],
            transactions=[nodes.transaction(1), nodes.transaction(2, "REFUND", parent=1)],
            purchasingEntity={"company": {"id": "gid://shopify/Company/3", "name": "Kiwi Cafe Ltd"}},
            paymentTerms={"paymentSchedules": nodes.connection([{"dueAt": "2026-11-01T00:00:00Z"}])},
        )
    )
    assert order.agreements[0].refund_id == "gid://shopify/Refund/5"
    assert order.agreements[0].sales[0].line_item_id == order.line_items[0].id
    assert order.agreements[0].sales[0].total_amount.shop_money.amount == Decimal("-11.5")
    assert [t.parent_id for t in order.transactions] == [None, "gid://shopify/OrderTransaction/1"]
    assert order.refunds[0].transaction_ids == ("gid://shopify/OrderTransaction/2",)
    assert order.company is not None
    assert order.company.name == "Kiwi Cafe Ltd"
    assert order.payment_terms is not None
    assert len(order.payment_terms.payment_schedules) == 1
    assert order.agreements[0].sales[0].taxes[0].tax_line.rate == Decimal("0.15")


@pytest.mark.parametrize(
    ("named", "title"),
    [
        ({"shippingLine": {"title": "Courier"}}, "Courier"),
        ({"shippingLine": None}, None),
        ({"additionalFee": {"name": "Import fee"}}, "Import fee"),
        ({"duty": {"harmonizedSystemCode": "6912.00"}}, "Duty 6912.00"),
        ({"duty": {"harmonizedSystemCode": None}}, "Duty"),
        ({"fee": {"__typename": "RestockingFee"}}, "Restocking fee"),
        ({"fee": {"__typename": "ReturnShippingFee"}}, "Return shipping fee"),
        ({"fee": {"__typename": "SomethingNew"}}, None),
        ({}, None),
    ],
)
def test_a_sale_that_is_no_line_item_is_named(named: dict[str, Any], title: str | None) -> None:
    row = nodes.sale(1, lineType="SHIPPING", actionType="SOMETHING_NEW", **named)
    order = parse_order(nodes.order(1, agreements=[nodes.agreement(1, row)]))
    (sale,) = order.agreements[0].sales
    assert (sale.title, sale.line_item_id, sale.action_type) == (title, None, "SOMETHING_NEW")


def test_an_order_of_a_guest_whose_product_is_gone_is_read() -> None:
    line = {**nodes.line_item(1), "product": None, "variant": None, "sku": ""}
    order = parse_order(
        nodes.order(1, customer=None, purchasingEntity={}, lineItems=[line], displayFinancialStatus=None)
    )
    assert order.customer is None
    assert order.company is None
    assert order.line_items[0].variant is None


def test_a_node_of_another_shape_is_told_by_place_not_by_value() -> None:
    node = nodes.customer(7, defaultEmailAddress="aroha@example.com", updatedAt="yesterday")
    with pytest.raises(UnexpectedShapeError, match=r"Customer/7 .*defaultEmailAddress.*updatedAt") as caught:
        parse_record(Customer, node)
    assert "aroha" not in str(caught.value)
    assert "yesterday" not in str(caught.value)
    assert caught.value.__context__ is None
