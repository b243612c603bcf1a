"""Reading of lists: modified records, filters, order and pages (B27).

The module serves all kinds of records; each kind provides its `Listing`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Reply, bad_query, json_reply
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
from shopify_xero_pipeline.sandbox.xero.batch import envelope
from shopify_xero_pipeline.sandbox.xero.where_filter import Getters, comparable, parse
from shopify_xero_pipeline.sandbox.xero.wire import Json

_ALWAYS = frozenset({"where", "order"})
_PAGES = frozenset({"page", "pagesize"})
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Listing:
    """The rules for listing one kind of record.

    Attributes:
        collection: name of the list in the response.
        getters: the fields that `where` and `order` may name, with `UpdatedDateUTC` among them.
        id_field: the name of the id among the getters.
        show: returns one record in the form of the response; its second argument is whether the list is a page.
        paged: whether the endpoint has `page`.
        lists: query parameters with comma-separated values of a field.
        others: further query parameters of the endpoint, handled elsewhere.
        sorted_by: the default order; None for the order of the books.
    """

    collection: str
    getters: Getters
    id_field: str
    show: Callable[[Any, bool], Json]
    paged: bool = True
    lists: Mapping[str, str] | None = None
    others: frozenset[str] = frozenset()
    sorted_by: str | None = "UpdatedDateUTC"


def answer_list(context: ApiContext, call: Call, listing: Listing, records: Iterable[Any]) -> Reply:
    """Answer a GET of a collection.

    Args:
        context: the books, clock and options.
        call: the call.
        listing: the rules of the kind.
        records: all records of the kind.

    Raises:
        Refused: 400 for an invalid filter or order, since ignoring it would return too much; for an unknown parameter
            only if the options require it.
    """
    if context.options.refuse_unknown_parameters:
        _check_parameters(call, listing)
    matches = [record for record in records if _is_modified(call, listing, record)]
    since = call.headers.get("if-modified-since")
    if since and not matches and context.options.answer_not_modified:
        return Reply(304)
    for parameter, name in (listing.lists or {}).items():
        matches = _filter_values(matches, call.query.get(parameter.lower()), listing.getters[name])
    if call.query.get("where"):
        test = parse(call.query["where"], listing.getters)
        matches = [record for record in matches if test(record)]
    order = call.query.get("order") or listing.sorted_by
    if order:
        _sort(matches, order, listing)
    return json_reply(envelope(context) | _page(call, listing, matches))


def wants_pages(call: Call) -> bool:
    """Return whether the response is a page: `page`, `pageSize` or `summaryOnly` was sent."""
    return bool(_PAGES & call.query.keys()) or is_set(call, "summaryonly")


def is_set(call: Call, parameter: str) -> bool:
    """Return whether a parameter is true."""
    return call.query.get(parameter, "").lower() in _TRUE


def _check_parameters(call: Call, listing: Listing) -> None:
    known = _ALWAYS | (_PAGES if listing.paged else frozenset()) | {name.lower() for name in listing.lists or ()}
    unknown = call.query.keys() - known - listing.others - {""}
    if unknown:
        raise bad_query(f"This endpoint has no parameter {', '.join(sorted(unknown))}")


def _page(call: Call, listing: Listing, matches: list[Any]) -> Json:
    if not (listing.paged and wants_pages(call)):
        return {listing.collection: [listing.show(record, False) for record in matches]}
    size = min(1000, max(1, _whole_number(call, "pagesize", 100)))  # Xero's maximum and default
    page = max(1, _whole_number(call, "page", 1))
    elements = [listing.show(record, True) for record in matches[(page - 1) * size : page * size]]
    pages = -(-len(matches) // size)
    pagination = {"page": page, "pageSize": size, "pageCount": pages, "itemCount": len(matches)}
    return {"pagination": pagination, listing.collection: elements}


def _whole_number(call: Call, parameter: str, default: int) -> int:
    text = call.query.get(parameter, str(default))
    if not text.lstrip("-").isdigit():
        raise bad_query(f"{parameter} must be a whole number")
    return int(text)


def _is_modified(call: Call, listing: Listing, record: Any) -> bool:
    text = call.headers.get("if-modified-since")
    return text is None or bool(listing.getters["UpdatedDateUTC"](record) >= _parse_modified_since(text))


def _parse_modified_since(text: str) -> datetime:
    """Parse If-Modified-Since, in UTC and to the second."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        except ValueError:
            raise bad_query(f"If-Modified-Since '{text}' is not a time") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=0)


def _filter_values(records: list[Any], text: str | None, getter: Callable[[Any], Any]) -> list[Any]:
    if not text:
        return records
    wanted = {comparable(value.strip()) for value in text.split(",")}
    return [record for record in records if comparable(getter(record)) in wanted]


def _sort(records: list[Any], order: str, listing: Listing) -> None:
    """Sort by one field and the id, ascending without DESC."""
    name, _, direction = order.strip().partition(" ")
    getter = {field.lower(): getter for field, getter in listing.getters.items()}.get(name.lower())
    if getter is None or direction.strip().upper() not in ("", "ASC", "DESC"):
        raise bad_query(f"The order '{order}' could not be parsed")
    identity = listing.getters[listing.id_field]

    def key(record: Any) -> tuple[Any, ...]:
        value = comparable(getter(record))
        return value is not None, value if value is not None else "", identity(record)

    records.sort(key=key, reverse=direction.strip().upper() == "DESC")
