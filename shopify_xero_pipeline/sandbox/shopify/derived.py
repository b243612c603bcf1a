"""Derived values of a node: its concrete type, and fields that follow from other fields.

Each rule holds for every order that Shopify could have. A value that would have to be invented stays missing, and the
response reports it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.connections import digits, elements
from shopify_xero_pipeline.sandbox.shopify.lists import order_number
from shopify_xero_pipeline.sandbox.shopify.records import type_of

_SALE_TYPES = {
    "PRODUCT": "ProductSale",
    "TIP": "TipSale",
    "GIFT_CARD": "GiftCardSale",
    "SHIPPING": "ShippingLineSale",
    "DUTY": "DutySale",
    "FEE": "FeeSale",
    "ADDITIONAL_FEE": "AdditionalFeeSale",
    "ADJUSTMENT": "AdjustmentSale",
    "UNKNOWN": "UnknownSale",
}

Derivation: TypeAlias = Callable[[Node, Node], Any]
"""The function from a node and its owner to the value; None if the value does not follow."""


def guess_type(abstract: str, possible: Collection[str], node: Node) -> str | None:
    """Return a node's concrete type by its id or its fields; None if neither determines it.

    Args:
        abstract: the name of the abstract type.
        possible: the names of its concrete types.
        node: the node.
    """
    gid = node.get("id")
    if isinstance(gid, str) and type_of(gid) in possible:
        return type_of(gid)
    rule = _GUESSES.get(abstract)
    return None if rule is None else rule(node)


def _agreement_type(node: Node) -> str:
    if node.get("refund"):
        return "RefundAgreement"
    if node.get("return"):
        return "ReturnAgreement"
    return "OrderEditAgreement" if node.get("reason") == "ORDER_EDIT" else "OrderAgreement"


def _discount_type(node: Node) -> str:
    if "code" in node:
        return "DiscountCodeApplication"
    return "ManualDiscountApplication" if "description" in node else "AutomaticDiscountApplication"


_GUESSES: Mapping[str, Callable[[Node], str | None]] = {
    "Sale": lambda node: _SALE_TYPES.get(node.get("lineType") or ""),
    "SalesAgreement": _agreement_type,
    "PurchasingEntity": lambda node: "PurchasingCompany" if node.get("company") else "Customer",
    "PricingValue": lambda node: "PricingPercentageValue" if "percentage" in node else "MoneyV2",
    "DiscountApplication": _discount_type,
    "Fee": lambda node: "RestockingFee" if "percentage" in node else "ReturnShippingFee",
}


def _exact_count(rows: Sequence[Any]) -> Node:
    return {"count": len(rows), "precision": "EXACT"}


def _is_edited(order: Node) -> bool:
    return any(agreement.get("reason") == "ORDER_EDIT" for agreement in elements(order.get("agreements")))


def _display_name(customer: Node) -> str:
    """Return the name, else the e-mail address, else the telephone number (docs/contracts/shopify_orders.md §5)."""
    name = " ".join(part for part in (customer.get("firstName"), customer.get("lastName")) if part)
    email = (customer.get("defaultEmailAddress") or {}).get("emailAddress")
    phone = (customer.get("defaultPhoneNumber") or {}).get("phoneNumber")
    return name or email or phone or ""


DERIVED: Mapping[tuple[str, str], Derivation] = {
    ("", "legacyResourceId"): lambda node, _owner: digits(node.get("id")),
    ("", "order"): lambda _node, owner: owner or None,
    ("MoneyBag", "presentmentMoney"): lambda node, _owner: node.get("shopMoney"),
    ("Order", "edited"): lambda node, _owner: _is_edited(node),
    ("Order", "number"): lambda node, _owner: order_number(node) or None,
    ("Order", "presentmentCurrencyCode"): lambda node, _owner: node.get("currencyCode"),
    ("Order", "test"): lambda _node, _owner: False,
    ("Order", "transactionsCount"): lambda node, _owner: _exact_count(elements(node.get("transactions"))),
    ("OrderTransaction", "test"): lambda _node, owner: bool(owner.get("test")),
    ("Refund", "processedAt"): lambda node, _owner: node.get("createdAt"),
    ("LineItem", "isGiftCard"): lambda _node, _owner: False,
    ("ShippingLine", "isRemoved"): lambda _node, _owner: False,
    ("Customer", "displayName"): lambda node, _owner: _display_name(node),
    ("Product", "isGiftCard"): lambda _node, _owner: False,
    ("Product", "productType"): lambda _node, _owner: "",
    ("Product", "vendor"): lambda _node, _owner: "",
    ("Product", "variantsCount"): lambda node, _owner: _exact_count(elements(node.get("variants"))),
    ("ProductVariant", "updatedAt"): lambda _node, owner: owner.get("updatedAt"),
}
"""By type and field, or by field on any type, the derivation of a value that a node lacks."""
