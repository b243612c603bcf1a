"""Conversion of GraphQL nodes to models: connections become tuples.

This module is pure and only changes shapes; it computes and decides nothing. Its input nodes are complete.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from shopify_xero_pipeline.shopify.errors import UnexpectedShapeError
from shopify_xero_pipeline.shopify.models import Order, Product, ShopifyModel
from shopify_xero_pipeline.shopify.paging import Json, nodes_of

Model = TypeVar("Model", bound=ShopifyModel)

_FEES = {"RestockingFee": "Restocking fee", "ReturnShippingFee": "Return shipping fee"}


def parse_order(node: Json) -> Order:
    """Return the order of a complete node.

    Raises:
        UnexpectedShapeError: a field is missing or has another type.
    """
    terms = node.get("paymentTerms")
    lists = {
        "lineItems": _rows(node.get("lineItems")),
        "agreements": [_agreement(agreement) for agreement in _rows(node["agreements"])],
        "refunds": [_refund(refund) for refund in node["refunds"]],
        "paymentTerms": terms and {"paymentSchedules": _rows(terms["paymentSchedules"])},
    }
    return _validate(Order, node | lists)


def parse_product(node: Json) -> Product:
    """Return the product of a complete node.

    Raises:
        UnexpectedShapeError: a field is missing or has another type.
    """
    return _validate(Product, node | {"variants": _rows(node.get("variants"))})


def parse_record(model: type[Model], node: Json) -> Model:
    """Return the record of a node without connections.

    Raises:
        UnexpectedShapeError: a field is missing or has another type.
    """
    return _validate(model, node)


def _rows(value: Any) -> Any:
    """Return the nodes of a connection; a list stays as it is."""
    return nodes_of(value) if isinstance(value, dict) else value


def _agreement(node: Json) -> Json:
    return node | {"sales": [sale | {"title": _title(sale)} for sale in _rows(node["sales"])]}


def _refund(node: Json) -> Json:
    return {**node, "transactionIds": [transaction["id"] for transaction in _rows(node["transactions"])]}


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
