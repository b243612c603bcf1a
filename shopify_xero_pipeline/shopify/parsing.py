"""Conversion of GraphQL nodes to models: connections become tuples, references become ids.

This module is pure and only changes shapes; it computes and decides nothing. Its input nodes are complete.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from shopify_xero_pipeline.shopify.errors import UnexpectedShapeError
from shopify_xero_pipeline.shopify.models import ChangedOrder, Customer, Order, OrderMoney, Product, Shop, ShopifyModel
from shopify_xero_pipeline.shopify.paging import Json, nodes_of

Model = TypeVar("Model", bound=ShopifyModel)

_FEES = {"RestockingFee": "Restocking fee", "ReturnShippingFee": "Return shipping fee"}


def parse_order(node: Json) -> Order:
    """Return the order of a complete node.

    Raises:
        UnexpectedShapeError: a field is missing or has another type. All functions of this module raise it.
    """
    order = _flatten(node)
    order["company"] = (order.get("purchasingEntity") or {}).get("company")
    for agreement in order["agreements"]:
        agreement["refundId"] = _id(agreement.get("refund"))
        for sale in agreement["sales"]:
            sale["lineItemId"] = _id(sale.get("lineItem"))
            sale["title"] = _title(sale)
    _add_parent_ids(order)
    for refund in order["refunds"]:
        refund["transactionIds"] = [transaction["id"] for transaction in refund["transactions"]]
    return _validate(Order, order)


def parse_customer(node: Json) -> Customer:
    """Return the customer of a node."""
    return _validate(Customer, node)


def parse_product(node: Json) -> Product:
    """Return the product of a complete node, with all its variants."""
    return _validate(Product, _flatten(node))


def parse_changed_order(node: Json) -> ChangedOrder:
    """Return the times of an order's placement and last change."""
    return _validate(ChangedOrder, node)


def parse_order_money(node: Json) -> OrderMoney:
    """Return the status of an order's transactions."""
    order = _flatten(node)
    _add_parent_ids(order)
    return _validate(OrderMoney, order)


def parse_shop(node: Json) -> Shop:
    """Return the shop of a node."""
    return _validate(Shop, node)


def _flatten(value: Any) -> Any:
    """Return a copy of a node with each connection replaced by the list of its nodes."""
    if isinstance(value, dict):
        if "pageInfo" in value:
            return [_flatten(node) for node in nodes_of(value)]
        return {key: _flatten(inner) if isinstance(inner, dict | list) else inner for key, inner in value.items()}
    return [_flatten(inner) for inner in value] if isinstance(value, list) else value


def _add_parent_ids(order: Json) -> None:
    for transaction in order["transactions"]:
        transaction["parentId"] = _id(transaction.get("parentTransaction"))


def _id(reference: Mapping[str, Any] | None) -> str | None:
    return str(reference["id"]) if reference else None


def _title(sale: Mapping[str, Any]) -> str | None:
    """Return the name of a sale without a line item; None if Shopify has no name for it."""
    if shipping := sale.get("shippingLine"):
        return str(shipping["title"])
    if fee := sale.get("additionalFee"):
        return str(fee["name"])
    if duty := sale.get("duty"):
        return f"Duty {duty['harmonizedSystemCode']}" if duty.get("harmonizedSystemCode") else "Duty"
    if fee := sale.get("fee"):
        return _FEES.get(fee["__typename"])
    return None


def _validate(model: type[Model], node: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(node)
    except ValidationError as failure:
        # Only places and types, because pydantic's message quotes values, which may be personal.
        places = [f"{'.'.join(map(str, e['loc']))} ({e['type']})" for e in failure.errors(include_input=False)[:5]]
    raise UnexpectedShapeError(
        f"{node.get('id', model.__name__)} does not match {model.__name__} of the pinned API version: "
        f"{', '.join(places)}. It is not used; report this."
    )
