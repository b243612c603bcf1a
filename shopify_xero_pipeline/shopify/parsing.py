"""From nodes as GraphQL answers them to our models: connections become tuples, references become ids.

Pure, and about shape only: nothing is computed, nothing is decided. The nodes are whole when they come here.
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
    """Return an order from its whole node.

    Raises:
        UnexpectedShape: a field is missing or of another type, as for all functions here.
    """
    order = _plain(node)
    order["company"] = (order.get("purchasingEntity") or {}).get("company")
    for agreement in order["agreements"]:
        agreement["refundId"] = _id(agreement.get("refund"))
        for sale in agreement["sales"]:
            sale["lineItemId"] = _id(sale.get("lineItem"))
            sale["title"] = _title(sale)
    _name_parents(order)
    for refund in order["refunds"]:
        refund["transactionIds"] = [transaction["id"] for transaction in refund["transactions"]]
        for line in refund["refundLineItems"]:
            line["lineItemId"] = _id(line["lineItem"])
    return _model(Order, order)


def parse_customer(node: Json) -> Customer:
    """Return a customer from its node."""
    return _model(Customer, node)


def parse_product(node: Json) -> Product:
    """Return a product with all its variants from its whole node."""
    return _model(Product, _plain(node))


def parse_changed_order(node: Json) -> ChangedOrder:
    """Return when an order was placed and last changed."""
    return _model(ChangedOrder, node)


def parse_order_money(node: Json) -> OrderMoney:
    """Return how the money of an order stands."""
    order = _plain(node)
    _name_parents(order)
    return _model(OrderMoney, order)


def parse_shop(node: Json) -> Shop:
    """Return the shop."""
    return _model(Shop, node)


def _plain(value: Any) -> Any:
    """Copy a node with every connection replaced by the list of its nodes."""
    if isinstance(value, dict):
        if "pageInfo" in value:
            return [_plain(node) for node in nodes_of(value)]
        return {key: _plain(inner) if isinstance(inner, dict | list) else inner for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _name_parents(order: Json) -> None:
    for transaction in order["transactions"]:
        transaction["parentId"] = _id(transaction.get("parentTransaction"))


def _id(reference: Mapping[str, Any] | None) -> str | None:
    return str(reference["id"]) if reference else None


def _title(sale: Mapping[str, Any]) -> str | None:
    """Return what a sale that is no line item is called; None if Shopify does not say."""
    if shipping := sale.get("shippingLine"):
        return str(shipping["title"])
    if fee := sale.get("additionalFee"):
        return str(fee["name"])
    if duty := sale.get("duty"):
        return f"Duty {duty['harmonizedSystemCode']}" if duty.get("harmonizedSystemCode") else "Duty"
    if fee := sale.get("fee"):
        return _FEES.get(fee["__typename"])
    return None


def _model(model: type[Model], node: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(node)
    except ValidationError as failure:
        # Only places and kinds: pydantic's own message quotes values, which may be a customer's.
        places = [f"{'.'.join(map(str, e['loc']))} ({e['type']})" for e in failure.errors(include_input=False)[:5]]
    raise UnexpectedShapeError(
        f"{node.get('id', model.__name__)} does not look like {model.__name__} of the pinned API version: "
        f"{', '.join(places)}. Nothing of it is used; report this."
    )
