"""Pages of a connection: the requested slice, its cursors and its page info.

Both kinds of lists use this module: lists of the shop, ordered by a sort key, and lists inside a record, in stored
order. The content of a list is decided elsewhere.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.errors import BAD_REQUEST, FieldError

Cursor = dict[str, Any]
"""A decoded cursor: `last_id`, an integer, and `last_value`, the sort value of that row.

Source: docs/contracts/shopify.md §3.5.
"""


def elements(stored: Any) -> list[Node]:
    """Return the nodes of a list stored as `{"nodes"}`, as `{"edges"}` or as a plain list."""
    if not stored:
        return []
    if not isinstance(stored, Mapping):
        return list(stored)
    if "nodes" in stored:
        return list(stored["nodes"])
    return [edge["node"] for edge in stored.get("edges", ())]


def digits(gid: str | None) -> int:
    """Return the number of a global id: `gid://shopify/Order/1001?x=1` gives 1001; 0 without one."""
    text = (gid or "").rsplit("/", 1)[-1].split("?", 1)[0]
    return int(text) if text.isdecimal() else 0


def encode(last_id: int, last_value: Any) -> str:
    """Return a cursor as text."""
    return base64.b64encode(json.dumps({"last_id": last_id, "last_value": last_value}).encode()).decode()


@dataclass(frozen=True)
class Window:
    """The requested slice: either `first` or `last` rows, counted from a cursor."""

    first: int | None
    last: int | None
    after: Cursor | None
    before: Cursor | None
    reverse: bool

    def cut(self, start: int, end: int) -> tuple[int, int]:
        """Return the slice's bounds within the rows `start` to `end` that the cursors allow."""
        if self.first is not None:
            return start, max(start, min(end, start + self.first))
        return max(start, end - (self.last or 0)), end


def window(arguments: Mapping[str, Any], limit: int) -> Window:
    """Parse `first`, `last`, `after`, `before` and `reverse`.

    Args:
        arguments: the field's arguments.
        limit: the maximum page size.

    Raises:
        FieldError: none or both of `first` and `last`, a size out of bounds, or an invalid cursor (E7).
    """
    first, last = arguments.get("first"), arguments.get("last")
    if first is None and last is None:
        raise FieldError("you must provide one of first or last", BAD_REQUEST)
    if first is not None and last is not None:
        raise FieldError("providing both first and last is not supported", BAD_REQUEST)
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 0 <= size <= limit:
            raise FieldError(f"{name} must be between 0 and {limit}, got {size}", BAD_REQUEST)
    return Window(
        first, last, _decode(arguments.get("after")), _decode(arguments.get("before")), bool(arguments.get("reverse"))
    )


def invalid_cursor() -> FieldError:
    """Return the error for a cursor of another list or another sort."""
    return FieldError("Invalid cursor for current pagination sort.", BAD_REQUEST)


def _decode(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        cursor = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid_cursor() from error
    if not isinstance(cursor, dict) or not isinstance(cursor.get("last_id"), int) or "last_value" not in cursor:
        raise invalid_cursor()
    return cursor


@dataclass(frozen=True)
class Page:
    """One page of a connection; edges are built on request."""

    nodes: Sequence[Node]
    cursor: Callable[[int], str]
    has_next: bool
    has_previous: bool

    def edges(self) -> list[Node]:
        """Return the rows with their cursors."""
        return [{"cursor": self.cursor(at), "node": node} for at, node in enumerate(self.nodes)]

    def info(self) -> Node:
        """Return the `pageInfo` node."""
        last = len(self.nodes) - 1
        return {
            "hasNextPage": self.has_next,
            "hasPreviousPage": self.has_previous,
            "startCursor": self.cursor(0) if self.nodes else None,
            "endCursor": self.cursor(last) if self.nodes else None,
        }


def stored_page(stored: Sequence[Node], window: Window) -> Page:
    """Return a page of a list inside a record; its cursors hold the row's position.

    Args:
        stored: the whole list.
        window: the requested slice.

    Raises:
        FieldError: a cursor does not belong to this list.
    """
    count = len(stored)
    start = 0 if window.after is None else _position(stored, window.after, window.reverse) + 1
    end = count if window.before is None else _position(stored, window.before, window.reverse)
    start, end = window.cut(start, end)
    ordered = stored[::-1] if window.reverse else stored

    def cursor(at: int) -> str:
        place = count - 1 - (start + at) if window.reverse else start + at
        return encode(digits(stored[place].get("id")) or place, place)

    return Page(ordered[start:end], cursor, end < count, start > 0)


def _position(stored: Sequence[Node], cursor: Cursor, reverse: bool) -> int:
    place, last_id = cursor["last_value"], cursor["last_id"]
    if not isinstance(place, int) or not 0 <= place < len(stored):
        raise invalid_cursor()
    if (digits(stored[place].get("id")) or place) != last_id:
        raise invalid_cursor()
    return len(stored) - 1 - place if reverse else place
