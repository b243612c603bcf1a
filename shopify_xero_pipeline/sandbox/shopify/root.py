"""What the Admin API's root answers: the shop's lists and their counts, records by id, the shop and the app.

Fields of the records themselves are in `resolvers.py`; what lists can be searched and sorted by is in `lists.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from graphql import GraphQLFieldResolver, GraphQLResolveInfo

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.call import Call, Entry
from shopify_xero_pipeline.sandbox.shopify.connections import Page, encode, window
from shopify_xero_pipeline.sandbox.shopify.errors import BAD_REQUEST, FieldError
from shopify_xero_pipeline.sandbox.shopify.lists import CUSTOMER_COUNT_FIELDS, LISTS, ListKind
from shopify_xero_pipeline.sandbox.shopify.records import Listing, Slice, type_of
from shopify_xero_pipeline.sandbox.shopify.search import Search, SearchField, understand


def _list(kind: ListKind) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **given: Any) -> Entry:
        call: Call = info.context
        asked = window(given, call.options.page_limit)
        search = _search(LISTS[kind].fields, given, info)
        sort_key = given.get("sortKey") or "ID"
        if sort_key not in LISTS[kind].sort_keys:
            raise FieldError(f"The sandbox cannot sort {info.field_name} by {sort_key}.", "SANDBOX_LIMIT")
        listing = _visible(call, kind, call.moment.listing(kind, given.get("query") or "", search, sort_key))
        cut = listing.cut(asked)
        limit = call.options.list_limit
        if cut.start >= limit and cut.rows:
            raise FieldError(f"Pagination beyond {limit} objects is not supported; narrow the query.", BAD_REQUEST)
        return Entry(_page(call, listing, cut), {})

    return resolve


def _count(kind: ListKind, fields: Mapping[str, SearchField]) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **given: Any) -> Entry:
        call: Call = info.context
        search = _search(fields, given, info)
        text = f"{info.field_name}:{given.get('query') or ''}"
        count = len(_visible(call, kind, call.moment.listing(kind, text, search, "ID")).rows)
        limit = given.get("limit")
        if limit is not None and count > limit:
            return Entry({"count": limit, "precision": "AT_LEAST"}, {})
        return Entry({"count": count, "precision": "EXACT"}, {})

    return resolve


def _search(fields: Mapping[str, SearchField], given: Mapping[str, Any], info: GraphQLResolveInfo) -> Search:
    call: Call = info.context
    text = given.get("query")
    search = understand(text, fields, call.moment.zone, call.moment.now)
    call.searches.append(
        {"path": info.path.as_list(), "query": text, "parsed": search.terms, "warnings": search.warnings}
    )
    return search


def _visible(call: Call, kind: ListKind, listing: Listing) -> Listing:
    if kind != "orders" or "read_all_orders" in call.options.scopes:
        return listing
    return Listing([row for row in listing.rows if not call.too_old(row.node)], listing.sort)


def _page(call: Call, listing: Listing, cut: Slice) -> Page:
    pairs = [(row, call.moment.record(row.gid)) for row in cut.rows]
    alive = [(row, node) for row, node in pairs if node is not None]

    def cursor(at: int) -> str:
        row = alive[at][0]
        return encode(row.number, listing.sort.write(row.value))

    return Page([node for _, node in alive], cursor, cut.start + len(cut.rows) < cut.total, cut.start > 0)


def _record(wanted: str | None) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **given: Any) -> Entry | None:
        return _one(info.context, given["id"], wanted)

    return resolve


def _nodes(_root: Any, info: GraphQLResolveInfo, **given: Any) -> list[Entry | None]:
    call: Call = info.context
    ids, limit = given["ids"], call.options.page_limit
    if len(ids) > limit:
        message = f"The input array size of {len(ids)} is greater than the maximum allowed of {limit}."
        raise FieldError(message, "MAX_INPUT_SIZE_EXCEEDED")
    return [_one(call, gid, None) for gid in ids]


def _one(call: Call, gid: str, wanted: str | None) -> Entry | None:
    """Return a record by id; null for another type's id, as for one that does not exist."""
    if not gid.startswith("gid://shopify/"):
        raise FieldError(f"Invalid global id '{gid}'", "argumentLiteralsIncompatible")
    return call.by_id(gid) if wanted is None or type_of(gid) == wanted else None


def _shop(_root: Any, info: GraphQLResolveInfo) -> Entry:
    """Return the shop's node; its offset is the zone's at this moment (E25)."""
    moment = info.context.moment
    local = moment.now.astimezone(moment.zone)
    seconds = local.utcoffset() or timedelta()
    known: Node = {
        "id": "gid://shopify/Shop/1",
        "timezoneOffset": local.strftime("%z"),
        "timezoneOffsetMinutes": int(seconds.total_seconds() // 60),
        "timezoneAbbreviation": local.strftime("%Z"),
    }
    return Entry({**known, **moment.shop}, {})


def _installation(_root: Any, info: GraphQLResolveInfo) -> Entry:
    """Return the app's installation with the scopes it was granted."""
    granted = sorted(info.context.options.scopes)
    scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in granted]
    app = {"id": "gid://shopify/App/1", "title": "Sandbox app", "handle": "sandbox", "apiKey": "sandbox"}
    return Entry({"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes, "app": app}, {})


def _versions(_root: Any, info: GraphQLResolveInfo) -> list[Entry]:
    """Return the API versions, stable ones as supported."""
    options = info.context.options
    both = [(each, True) for each in options.versions] + [(each, False) for each in options.candidates]
    return [Entry({"handle": each, "displayName": each, "supported": stable}, {}) for each, stable in both]


def _payments(_root: Any, info: GraphQLResolveInfo) -> Entry | None:
    """Return the Shopify Payments account; null when the shop does not use it."""
    call: Call = info.context
    if not call.options.payments:
        return None
    shop = call.moment.shop
    account = {
        "id": "gid://shopify/ShopifyPaymentsAccount/1",
        "activated": True,
        "country": (shop.get("billingAddress") or {}).get("countryCodeV2") or "NZ",
        "defaultCurrency": shop["currencyCode"],
        "onboardable": False,
    }
    return Entry(account, {})


ROOT: Mapping[str, GraphQLFieldResolver] = {
    "orders": _list("orders"),
    "customers": _list("customers"),
    "products": _list("products"),
    "productVariants": _list("variants"),
    "ordersCount": _count("orders", LISTS["orders"].fields),
    "customersCount": _count("customers", CUSTOMER_COUNT_FIELDS),
    "productsCount": _count("products", LISTS["products"].fields),
    "productVariantsCount": _count("variants", LISTS["variants"].fields),
    "order": _record("Order"),
    "customer": _record("Customer"),
    "product": _record("Product"),
    "productVariant": _record("ProductVariant"),
    "refund": _record("Refund"),
    "node": _record(None),
    "nodes": _nodes,
    "shop": _shop,
    "currentAppInstallation": _installation,
    "publicApiVersions": _versions,
    "shopifyPaymentsAccount": _payments,
}
"""The root's fields by name."""
