"""The root fields of the Admin API: lists and their counts, records by id, the shop, the app, bulk operations.

Fields of the records are in `resolvers.py`; search fields and sort keys of lists are in `lists.py`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from graphql import GraphQLFieldResolver, GraphQLResolveInfo

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.call import BulkAccess, Call, Entry
from shopify_xero_pipeline.sandbox.shopify.connections import Page, encode, stored_page, window
from shopify_xero_pipeline.sandbox.shopify.errors import BAD_REQUEST, FieldError
from shopify_xero_pipeline.sandbox.shopify.lists import CUSTOMER_COUNT_FIELDS, LISTS, ListKind
from shopify_xero_pipeline.sandbox.shopify.records import Listing, Slice, type_of
from shopify_xero_pipeline.sandbox.shopify.search import Search, SearchField, parse_search
from shopify_xero_pipeline.sandbox.shopify.term_comparison import Kind


def _list(kind: ListKind) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry:
        call: Call = info.context
        page_window = window(arguments, call.options.page_limit)
        search = _search(LISTS[kind].fields, arguments, info)
        sort_key = arguments.get("sortKey") or "ID"
        if sort_key not in LISTS[kind].sort_keys:
            raise FieldError(f"The sandbox cannot sort {info.field_name} by {sort_key}.", "SANDBOX_LIMIT")
        listing = _visible(call, kind, call.moment.listing(kind, arguments.get("query") or "", search, sort_key))
        cut = listing.cut(page_window)
        limit = call.options.list_limit
        if cut.start >= limit and cut.rows:
            raise FieldError(f"Pagination beyond {limit} objects is not supported; narrow the query.", BAD_REQUEST)
        return Entry(_page(call, listing, cut), {})

    return resolve


def _count(kind: ListKind, fields: Mapping[str, SearchField]) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry:
        call: Call = info.context
        search = _search(fields, arguments, info)
        text = f"{info.field_name}:{arguments.get('query') or ''}"
        count = len(_visible(call, kind, call.moment.listing(kind, text, search, "ID")).rows)
        limit = arguments.get("limit")
        if limit is not None and count > limit:
            return Entry({"count": limit, "precision": "AT_LEAST"}, {})
        return Entry({"count": count, "precision": "EXACT"}, {})

    return resolve


def _search(fields: Mapping[str, SearchField], arguments: Mapping[str, Any], info: GraphQLResolveInfo) -> Search:
    call: Call = info.context
    text = arguments.get("query")
    search = parse_search(text, fields, call.moment.zone, call.moment.now)
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


def _record(record_type: str | None) -> GraphQLFieldResolver:
    def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry | None:
        return _record_by_id(info.context, arguments["id"], record_type)

    return resolve


def _nodes(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> list[Entry | None]:
    call: Call = info.context
    ids, limit = arguments["ids"], call.options.page_limit
    if len(ids) > limit:
        message = f"The input array size of {len(ids)} is greater than the maximum allowed of {limit}."
        raise FieldError(message, "MAX_INPUT_SIZE_EXCEEDED")
    return [_record_by_id(call, gid, None) for gid in ids]


def _record_by_id(call: Call, gid: str, record_type: str | None) -> Entry | None:
    """Return a record by id; None for another type's id, as for an id that does not exist."""
    if not gid.startswith("gid://shopify/"):
        raise FieldError(f"Invalid global id '{gid}'", "argumentLiteralsIncompatible")
    return call.by_id(gid) if record_type is None or type_of(gid) == record_type else None


def _shop(_root: Any, info: GraphQLResolveInfo) -> Entry:
    """Return the shop's node; its offset is the time zone's at the call's instant (E25)."""
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
    """Return the app's installation with its granted scopes."""
    granted = sorted(info.context.options.scopes)
    scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in granted]
    app = {"id": "gid://shopify/App/1", "title": "Sandbox app", "handle": "sandbox", "apiKey": "sandbox"}
    return Entry({"id": "gid://shopify/AppInstallation/1", "accessScopes": scopes, "app": app}, {})


def _versions(_root: Any, info: GraphQLResolveInfo) -> list[Entry]:
    """Return the API versions; the stable ones are supported."""
    options = info.context.options
    both = [(each, True) for each in options.versions] + [(each, False) for each in options.candidates]
    return [Entry({"handle": each, "displayName": each, "supported": stable}, {}) for each, stable in both]


def _payments(_root: Any, info: GraphQLResolveInfo) -> Entry | None:
    """Return the Shopify Payments account; None if the shop does not use it."""
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


_BULK_FIELDS = {
    "created_at": SearchField(Kind.TIME, lambda node: [node["createdAt"]]),
    "id": SearchField(Kind.ID, lambda node: [node["id"]]),
    "operation_type": SearchField(Kind.WORD, lambda node: [node["type"]]),
    "status": SearchField(Kind.WORD, lambda node: [node["status"]]),
}


def _bulk(info: GraphQLResolveInfo) -> BulkAccess:
    bulk: BulkAccess | None = info.context.bulk
    if bulk is None:
        raise FieldError("A bulk query cannot read bulk operations.", BAD_REQUEST)
    return bulk


def _bulk_operations(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry:
    page_window = window(arguments, info.context.options.page_limit)
    search = _search(_BULK_FIELDS, arguments, info)
    rows = [node for node in _bulk(info).nodes() if search.matches(node)]
    if arguments.get("sortKey") == "COMPLETED_AT":
        rows.sort(key=lambda node: node["completedAt"] or "", reverse=True)
    return Entry(stored_page(rows, page_window), {})


def _current_bulk_operation(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry | None:
    nodes = [node for node in _bulk(info).nodes() if node["type"] == arguments.get("type")]
    return Entry(nodes[0], {}) if nodes else None


def _run_bulk_query(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry:
    return Entry(_bulk(info).run(arguments["query"], is_grouped=arguments["groupObjects"]), {})


def _cancel_bulk_operation(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Entry:
    return Entry(_bulk(info).cancel(arguments["id"]), {})


MUTATIONS: Mapping[str, GraphQLFieldResolver] = {
    "bulkOperationCancel": _cancel_bulk_operation,
    "bulkOperationRunQuery": _run_bulk_query,
}
"""The mutations' resolvers by field name."""

ROOT: Mapping[str, GraphQLFieldResolver] = {
    "bulkOperation": _record("BulkOperation"),
    "bulkOperations": _bulk_operations,
    "currentBulkOperation": _current_bulk_operation,
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
"""The root's resolvers by field name."""
