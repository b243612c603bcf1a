"""Conversion of GraphQL nodes to models: connections become tuples.

This module is pure and only changes shapes; it computes and decides nothing. Its input nodes are complete.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from shopify_xero_pipeline.shopify.errors import UnexpectedShapeError
from shopify_xero_pipeline.shopify.models import Order, ShopifyModel, legacy_id
from shopify_xero_pipeline.shopify.paging import Json, nodes_of

Model = TypeVar("Model", bound=ShopifyModel)

_FEES = {"RestockingFee": "Restocking fee", "ReturnShippingFee": "Return shipping fee"}


def parse_order(node: Json) -> Order:
    """Return the order of a complete node, its parts by id, which is the order of their creation.

    The rows of a bulk operation have no order (docs/contracts/shopify.md §3.7), and an order is the same record whether
    it was read by pages or in bulk.

    Raises:
        UnexpectedShapeError: a field is missing or has another type.
    """
    order = _flatten(node)
    order["lineItems"].sort(key=_number)
    order["agreements"].sort(key=_number)
    if order["paymentTerms"]:
        order["paymentTerms"]["paymentSchedules"].sort(key=lambda schedule: schedule["dueAt"] or "")
    for agreement in order["agreements"]:
        agreement["sales"].sort(key=_number)
        for sale in agreement["sales"]:
            sale["title"] = _title(sale)
    for refund in order["refunds"]:
        refund["transactionIds"] = [transaction["id"] for transaction in refund["transactions"]]
    return _validate(Order, order)


def parse_record(model: type[Model], node: Json) -> Model:
    """Return the record of a complete node, for every model except `Order`.

    Raises:
        UnexpectedShapeError: a field is missing or has another type.
    """
    return _validate(model, _flatten(node))


def _flatten(value: Any) -> Any:
    """Return a copy of a node with each connection replaced by the list of its nodes."""
    if isinstance(value, dict):
        if "pageInfo" in value:
            return [_flatten(node) for node in nodes_of(value)]
        return {key: _flatten(inner) if isinstance(inner, dict | list) else inner for key, inner in value.items()}
    return [_flatten(inner) for inner in value] if isinstance(value, list) else value


def _number(part: Mapping[str, Any]) -> tuple[int, str]:
    """Return the sort key of a part of an order: the number in its id."""
    digits = legacy_id(part["id"])
    return len(digits), digits


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
