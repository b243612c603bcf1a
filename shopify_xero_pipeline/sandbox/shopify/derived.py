"""What a node leaves unsaid: its concrete type, and values that follow from its others.

Only conclusions belong here that hold for every order Shopify could have; a value that would have to be invented stays
missing, and the answer says so.
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
"""From the node and the record it stands in to the value; null when it does not follow."""


def guess_type(abstract: str, possible: Collection[str], node: Node) -> str | None:
    """Return a node's concrete type by its id or by what it carries; null when neither tells."""
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


def _exactly(counted: Sequence[Any]) -> Node:
    return {"count": len(counted), "precision": "EXACT"}


def _edited(order: Node) -> bool:
    return any(each.get("reason") == "ORDER_EDIT" for each in elements(order.get("agreements")))


def _display_name(customer: Node) -> str:
    """Fall back from name to e-mail to telephone (docs/contracts/shopify_orders.md §5)."""
    name = " ".join(part for part in (customer.get("firstName"), customer.get("lastName")) if part)
    email = (customer.get("defaultEmailAddress") or {}).get("emailAddress")
    phone = (customer.get("defaultPhoneNumber") or {}).get("phoneNumber")
    return name or email or phone or ""


DERIVED: Mapping[tuple[str, str], Derivation] = {
    ("", "legacyResourceId"): lambda node, _owner: digits(node.get("id")),
    ("", "order"): lambda _node, owner: owner or None,
    ("MoneyBag", "presentmentMoney"): lambda node, _owner: node.get("shopMoney"),
    ("Order", "edited"): lambda node, _owner: _edited(node),
    ("Order", "number"): lambda node, _owner: order_number(node) or None,
    ("Order", "presentmentCurrencyCode"): lambda node, _owner: node.get("currencyCode"),
    ("Order", "test"): lambda _node, _owner: False,
    ("Order", "transactionsCount"): lambda node, _owner: _exactly(elements(node.get("transactions"))),
    ("OrderTransaction", "test"): lambda _node, owner: bool(owner.get("test")),
    ("Refund", "processedAt"): lambda node, _owner: node.get("createdAt"),
    ("LineItem", "isGiftCard"): lambda _node, _owner: False,
    ("ShippingLine", "isRemoved"): lambda _node, _owner: False,
    ("Customer", "displayName"): lambda node, _owner: _display_name(node),
    ("Product", "isGiftCard"): lambda _node, _owner: False,
    ("Product", "productType"): lambda _node, _owner: "",
    ("Product", "vendor"): lambda _node, _owner: "",
    ("Product", "variantsCount"): lambda node, _owner: _exactly(elements(node.get("variants"))),
    ("ProductVariant", "updatedAt"): lambda _node, owner: owner.get("updatedAt"),
}
"""By type and field, or by field on any type: what stands for a value a node does not carry."""
