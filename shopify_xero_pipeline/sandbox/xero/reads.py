"""Reading lists: what counts as modified, filters, order, and pages (B27).

The same for all kinds; each brings how its records are shown and what of them may be named.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Reply, bad_query, json_reply
from shopify_xero_pipeline.sandbox.xero.api_context import Call, Desk
from shopify_xero_pipeline.sandbox.xero.batch import envelope
from shopify_xero_pipeline.sandbox.xero.where_filter import Getters, comparable, parse
from shopify_xero_pipeline.sandbox.xero.wire import Json

_ALWAYS = frozenset({"where", "order"})
_PAGES = frozenset({"page", "pagesize"})
_TRUE = ("true", "1")


@dataclass(frozen=True)
class Listing:
    """How one kind is listed.

    Attributes:
        collection: name of the list in the answer.
        getters: what `where` and `order` may name; `UpdatedDateUTC` is among them.
        id_field: the name of the id among the getters.
        show: shows one record; told whether the list is a page.
        paged: whether `page` is known.
        lists: query parameters that hold values of a field, by comma.
        others: further query parameters of the endpoint, seen to elsewhere.
        sorted_by: the order where the call names none; None for the order in which the books keep them.
    """

    collection: str
    getters: Getters
    id_field: str
    show: Callable[[Any, bool], Json]
    paged: bool = True
    lists: Mapping[str, str] | None = None
    others: frozenset[str] = frozenset()
    sorted_by: str | None = "UpdatedDateUTC"


def answer_list(desk: Desk, call: Call, listing: Listing, records: Iterable[Any]) -> Reply:
    """Answer a GET of a collection.

    Raises:
        Refused: 400 for a filter or an order that is not understood: ignoring one would answer too much. For an unknown
            parameter only if the options say so.
    """
    if desk.options.refuse_unknown_parameters:
        _check_parameters(call, listing)
    chosen = [record for record in records if _modified(call, listing, record)]
    since = call.headers.get("if-modified-since")
    if since and not chosen and desk.options.answer_not_modified:
        return Reply(304)
    for parameter, name in (listing.lists or {}).items():
        chosen = _among(chosen, call.query.get(parameter.lower()), listing.getters[name])
    if call.query.get("where"):
        test = parse(call.query["where"], listing.getters)
        chosen = [record for record in chosen if test(record)]
    order = call.query.get("order") or listing.sorted_by
    if order:
        _sort(chosen, order, listing)
    return json_reply(envelope(desk) | _page(call, listing, chosen))


def wants_pages(call: Call) -> bool:
    """Tell whether an answer is a page: `page`, `pageSize` or `summaryOnly` was given."""
    return bool(_PAGES & call.query.keys()) or is_set(call, "summaryonly")


def is_set(call: Call, parameter: str) -> bool:
    """Tell whether a parameter is true."""
    return call.query.get(parameter, "").lower() in _TRUE


def _check_parameters(call: Call, listing: Listing) -> None:
    known = _ALWAYS | (_PAGES if listing.paged else frozenset()) | {name.lower() for name in listing.lists or ()}
    unknown = call.query.keys() - known - listing.others - {""}
    if unknown:
        raise bad_query(f"This endpoint knows no parameter {', '.join(sorted(unknown))}")


def _page(call: Call, listing: Listing, chosen: list[Any]) -> Json:
    if not (listing.paged and wants_pages(call)):
        return {listing.collection: [listing.show(record, False) for record in chosen]}
    size = min(1000, max(1, _whole(call, "pagesize", 100)))
    page = max(1, _whole(call, "page", 1))
    shown = [listing.show(record, True) for record in chosen[(page - 1) * size : page * size]]
    pages = -(-len(chosen) // size)
    pagination = {"page": page, "pageSize": size, "pageCount": pages, "itemCount": len(chosen)}
    return {"pagination": pagination, listing.collection: shown}


def _whole(call: Call, parameter: str, default: int) -> int:
    text = call.query.get(parameter, str(default))
    if not text.lstrip("-").isdigit():
        raise bad_query(f"{parameter} must be a whole number")
    return int(text)


def _modified(call: Call, listing: Listing, record: Any) -> bool:
    text = call.headers.get("if-modified-since")
    return text is None or bool(listing.getters["UpdatedDateUTC"](record) >= _moment(text))


def _moment(text: str) -> datetime:
    """Read If-Modified-Since: UTC, to the second."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        except ValueError:
            raise bad_query(f"If-Modified-Since '{text}' is not a time") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(microsecond=0)


def _among(records: list[Any], text: str | None, getter: Callable[[Any], Any]) -> list[Any]:
    if not text:
        return records
    wanted = {comparable(one.strip()) for one in text.split(",")}
    return [record for record in records if comparable(getter(record)) in wanted]


def _sort(records: list[Any], order: str, listing: Listing) -> None:
    """Sort by one field and the id, ascending unless DESC is said."""
    name, _, direction = order.strip().partition(" ")
    getter = {field.lower(): one for field, one in listing.getters.items()}.get(name.lower())
    if getter is None or direction.strip().upper() not in ("", "ASC", "DESC"):
        raise bad_query(f"The order '{order}' could not be parsed")
    identity = listing.getters[listing.id_field]

    def key(record: Any) -> tuple[Any, ...]:
        worth = comparable(getter(record))
        return worth is not None, worth if worth is not None else "", identity(record)

    records.sort(key=key, reverse=direction.strip().upper() == "DESC")
