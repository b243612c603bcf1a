"""The lists of the shop with their search fields and sort keys (from the tables of the real schema).

This module only contains tables and their small functions. A field that Shopify documents and the sandbox has no data
for is listed without values, so that a search by it is refused instead of ignored.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind
from shopify_xero_pipeline.sandbox.shopify.connections import digits, elements, invalid_cursor
from shopify_xero_pipeline.sandbox.shopify.search import SearchField
from shopify_xero_pipeline.sandbox.shopify.term_comparison import Kind

ListKind: TypeAlias = RecordKind | Literal["variants"]


@dataclass(frozen=True)
class SortKey:
    """A sort key: the value of a record, and its encoding and decoding in a cursor."""

    value: Callable[[Node], Any]
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class ListRules:
    """The search fields and sort keys of one list."""

    fields: Mapping[str, SearchField]
    sort_keys: Mapping[str, SortKey]


def _at(*path: str) -> Callable[[Node], list[Any]]:
    def values(node: Node) -> list[Any]:
        value: Any = node
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, list) else [value]

    return values


def _each(listed: str, *path: str) -> Callable[[Node], list[Any]]:
    inner = _at(*path)
    return lambda node: [value for element in elements(node.get(listed)) for value in inner(element)]


def _several(*readings: Callable[[Node], Iterable[Any]]) -> Callable[[Node], list[Any]]:
    return lambda node: [value for reading in readings for value in reading(node)]


def _order_states(node: Node) -> list[str]:
    if node.get("cancelledAt"):
        return ["cancelled", "not_closed"] if not node.get("closedAt") else ["cancelled"]
    return ["closed"] if node.get("closedAt") else ["open", "not_closed"]


def _order_names(node: Node) -> list[str]:
    name = str(node.get("name") or "")
    return [name, name.removeprefix("#")]


def _fields(kind: Kind, **readings: Callable[[Node], Iterable[Any]] | None) -> dict[str, SearchField]:
    return {name: SearchField(kind, reading) for name, reading in readings.items()}


def _unknown(*names: str) -> dict[str, SearchField]:
    return {name: SearchField(Kind.WORD, None) for name in names}


_ORDER_FIELDS = {
    **_fields(Kind.TIME, created_at=_at("createdAt"), processed_at=_at("processedAt"), updated_at=_at("updatedAt")),
    **_fields(Kind.ID, id=_at("id"), customer_id=_at("customer", "id"), location_id=_at("retailLocation", "id")),
    **_fields(
        Kind.NUMBER,
        current_total_price=_at("currentTotalPriceSet", "shopMoney", "amount"),
        subtotal_line_items_quantity=_at("subtotalLineItemsQuantity"),
        total_weight=_at("totalWeight"),
    ),
    **_fields(
        Kind.WORD,
        cart_token=_at("cartToken"),
        checkout_token=_at("checkoutToken"),
        confirmation_number=_at("confirmationNumber"),
        discount_code=_at("discountCode"),
        email=_at("email"),
        financial_status=_at("displayFinancialStatus"),
        fulfillment_status=_at("displayFulfillmentStatus"),
        gateway=_several(_at("paymentGatewayNames"), _each("transactions", "gateway")),
        name=_order_names,
        payment_id=_each("transactions", "paymentId"),
        po_number=_at("poNumber"),
        return_status=_at("returnStatus"),
        sku=_each("lineItems", "sku"),
        source_identifier=_at("sourceIdentifier"),
        source_name=_at("sourceName"),
        status=_order_states,
        tag=_at("tags"),
    ),
    **_fields(Kind.NONE_OF, tag_not=_at("tags")),
    **_fields(Kind.FLAG, test=_at("test")),
    **_fields(Kind.TEXT, default=_several(_order_names, _at("email"), _at("customer", "displayName"), _at("note"))),
    **_unknown(
        *("channel", "channel_id", "chargeback_status", "credit_card_last4", "delivery_method", "metafields"),
        *("fraud_protection_level", "fulfillment_location_id", "payment_provider_id", "reference_location_id"),
        *("risk_level", "sales_channel"),
    ),
}

_EMAIL = _at("defaultEmailAddress", "emailAddress")
_PHONE = _at("defaultPhoneNumber", "phoneNumber")

_CUSTOMER_FIELDS = {
    **_fields(Kind.DAY, updated_at=_at("updatedAt")),
    **_fields(Kind.TIME, customer_date=_at("createdAt")),
    **_fields(Kind.ID, id=_at("id")),
    **_fields(Kind.NUMBER, orders_count=_at("numberOfOrders"), total_spent=_at("amountSpent", "amount")),
    **_fields(
        Kind.WORD,
        country=_several(_at("defaultAddress", "country"), _at("defaultAddress", "countryCodeV2")),
        first_name=_at("firstName"),
        last_name=_at("lastName"),
        phone=_PHONE,
        state=_at("state"),
        tag=_at("tags"),
    ),
    **_fields(Kind.NONE_OF, tag_not=_at("tags")),
    **_fields(Kind.TEXT, email=_EMAIL, default=_several(_at("displayName"), _EMAIL, _PHONE)),
    **_unknown("accepts_marketing", "last_abandoned_order_date", "order_date"),
}

_PRODUCT_FIELDS = {
    **_fields(Kind.TIME, created_at=_at("createdAt"), updated_at=_at("updatedAt"), published_at=_at("publishedAt")),
    **_fields(Kind.ID, id=_at("id"), variant_id=_each("variants", "id")),
    **_fields(Kind.NUMBER, inventory_total=_at("totalInventory"), price=_each("variants", "price")),
    **_fields(
        Kind.WORD,
        barcode=_each("variants", "barcode"),
        handle=_at("handle"),
        product_type=_at("productType"),
        sku=_each("variants", "sku"),
        status=_at("status"),
        tag=_at("tags"),
        variant_title=_each("variants", "title"),
        vendor=_at("vendor"),
    ),
    **_fields(Kind.NONE_OF, tag_not=_at("tags")),
    **_fields(Kind.FLAG, gift_card=_at("isGiftCard")),
    **_fields(Kind.TEXT, title=_at("title"), default=_several(_at("title"), _at("vendor"), _each("variants", "sku"))),
    **_unknown(
        *("bundles", "category_id", "collection_id", "combined_listing_role", "delivery_profile_id", "error_feedback"),
        *("has_only_composites", "has_only_default_variant", "has_variant_with_components", "is_price_reduced"),
        *("metafields", "out_of_stock_somewhere", "product_configuration_owner", "product_publication_status"),
        *("publication_ids", "publishable_status", "published_status", "tracks_inventory"),
    ),
}

_VARIANT_FIELDS = {
    **_fields(Kind.TIME, updated_at=_at("updatedAt")),
    **_fields(Kind.ID, id=_at("id"), product_id=_at("product", "id"), product_ids=_at("product", "id")),
    **_fields(Kind.NUMBER, inventory_quantity=_at("inventoryQuantity")),
    **_fields(Kind.WORD, barcode=_at("barcode"), sku=_at("sku")),
    **_fields(Kind.FLAG, taxable=_at("taxable")),
    **_fields(Kind.TEXT, title=_at("title"), default=_several(_at("displayName"), _at("title"), _at("sku"))),
    **_unknown(
        *("collection", "delivery_profile_id", "exclude_composite", "exclude_variants_with_components", "gift_card"),
        *("location_id", "managed", "managed_by", "option1", "option2", "option3", "product_publication_status"),
        *("product_status", "product_type", "publishable_status", "published_status", "requires_components", "tag"),
        *("tag_not", "vendor"),
    ),
}


def _first(reading: Callable[[Node], Iterable[Any]]) -> Callable[[Node], Any]:
    return lambda node: next(iter(reading(node)), None)


def _time_key(*path: str) -> SortKey:
    reading = _first(_at(*path))

    def value(node: Node) -> int:
        text = reading(node)
        return round(datetime.fromisoformat(text).timestamp() * 1000) if text else 0

    return SortKey(value, int, _whole_number)


def _text_key(*path: str) -> SortKey:
    reading = _first(_at(*path))
    return SortKey(lambda node: str(reading(node) or "").casefold(), str, _text)


def _amount_key(*path: str) -> SortKey:
    reading = _first(_at(*path))
    return SortKey(lambda node: Decimal(str(reading(node) or 0)), str, _decimal)


def _number_key(value: Callable[[Node], int]) -> SortKey:
    return SortKey(value, int, _whole_number)


def _whole_number(value: Any) -> int:
    if not isinstance(value, int):
        raise invalid_cursor()
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_cursor()
    return value


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(_text(value))
    except InvalidOperation as error:
        raise invalid_cursor() from error


_ID = _number_key(lambda node: digits(node.get("id")))
_ANY = {"ID": _ID, "RELEVANCE": _ID}

LISTS: Mapping[ListKind, ListRules] = {
    "orders": ListRules(
        _ORDER_FIELDS,
        {
            **_ANY,
            "CREATED_AT": _time_key("createdAt"),
            "PROCESSED_AT": _time_key("processedAt"),
            "UPDATED_AT": _time_key("updatedAt"),
            "ORDER_NUMBER": _number_key(lambda node: node.get("number") or order_number(node)),
            "TOTAL_PRICE": _amount_key("totalPriceSet", "shopMoney", "amount"),
            "CURRENT_TOTAL_PRICE": _amount_key("currentTotalPriceSet", "shopMoney", "amount"),
            "TOTAL_ITEMS_QUANTITY": _number_key(lambda node: node.get("subtotalLineItemsQuantity") or 0),
            "CUSTOMER_NAME": _text_key("customer", "displayName"),
            "DESTINATION": _text_key("shippingAddress", "city"),
            "FINANCIAL_STATUS": _text_key("displayFinancialStatus"),
            "FULFILLMENT_STATUS": _text_key("displayFulfillmentStatus"),
            "PO_NUMBER": _text_key("poNumber"),
        },
    ),
    "customers": ListRules(
        _CUSTOMER_FIELDS,
        {
            **_ANY,
            "CREATED_AT": _time_key("createdAt"),
            "UPDATED_AT": _time_key("updatedAt"),
            "NAME": _text_key("displayName"),
            "LOCATION": _text_key("defaultAddress", "country"),
        },
    ),
    "products": ListRules(
        _PRODUCT_FIELDS,
        {
            **_ANY,
            "CREATED_AT": _time_key("createdAt"),
            "UPDATED_AT": _time_key("updatedAt"),
            "PUBLISHED_AT": _time_key("publishedAt"),
            "TITLE": _text_key("title"),
            "VENDOR": _text_key("vendor"),
            "PRODUCT_TYPE": _text_key("productType"),
            "INVENTORY_TOTAL": _number_key(lambda node: node.get("totalInventory") or 0),
        },
    ),
    "variants": ListRules(
        _VARIANT_FIELDS,
        {
            **_ANY,
            "TITLE": _text_key("title"),
            "NAME": _text_key("displayName"),
            "FULL_TITLE": _text_key("displayName"),
            "SKU": _text_key("sku"),
            "POSITION": _number_key(lambda node: node.get("position") or 0),
            "INVENTORY_QUANTITY": _number_key(lambda node: node.get("inventoryQuantity") or 0),
        },
    ),
}
"""The rules of each list."""

CUSTOMER_COUNT_FIELDS: Mapping[str, SearchField] = {
    **_fields(Kind.TIME, created_at=_at("createdAt")),
    **_fields(Kind.DAY, updated_at=_at("updatedAt")),
    **_fields(Kind.ID, id=_at("id")),
}
"""The filters of `customersCount`, fewer than those of the list."""


def order_number(node: Node) -> int:
    """Return the digits of an order's name: `#1007-A` gives 1007; 0 without digits."""
    return int("".join(character for character in str(node.get("name") or "") if character.isdecimal()) or 0)
