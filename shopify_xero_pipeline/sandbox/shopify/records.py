"""The shop's records at an instant: live ones by id, and lists as of the lagging search index (E9).

The module queries the source, caches between calls and knows nothing of GraphQL. A list matches and sorts on the
index's version of a record and returns its id; the caller reads the live record.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, ShopSource, Version
from shopify_xero_pipeline.sandbox.shopify.connections import Window, digits, elements
from shopify_xero_pipeline.sandbox.shopify.lists import LISTS, ListKind, SortKey
from shopify_xero_pipeline.sandbox.shopify.search import Search

_KIND_OF: Mapping[str, RecordKind] = {"Order": "orders", "Customer": "customers", "Product": "products"}


def type_of(gid: str) -> str:
    """Return a global id's type: `gid://shopify/Order/1001` gives `Order`."""
    parts = gid.split("/")
    return parts[-2] if len(parts) > 2 else ""


@dataclass(frozen=True)
class Row:
    """A row of a list with its sort value and the record's id."""

    value: Any
    number: int
    gid: str
    node: Node

    @property
    def key(self) -> tuple[Any, int]:
        """The sort key of the row; ties are ordered by id (E11)."""
        return self.value, self.number


@dataclass(frozen=True)
class Slice:
    """The rows of one page and their position in the whole list."""

    rows: Sequence[Row]
    start: int
    total: int


@dataclass
class Listing:
    """The result of a search, sorted in ascending order."""

    rows: list[Row]
    sort: SortKey
    keys: list[tuple[Any, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows.sort(key=lambda row: row.key)
        self.keys = [row.key for row in self.rows]

    def cut(self, window: Window) -> Slice:
        """Return the rows of a window.

        Raises:
            FieldError: a cursor belongs to another sort.
        """
        total = len(self.rows)
        start = 0 if window.after is None else self._count_before(window.after, window.reverse, inclusive=True)
        end = total if window.before is None else self._count_before(window.before, window.reverse, inclusive=False)
        low, high = window.cut(start, end)
        if window.reverse:
            return Slice(self.rows[total - high : total - low][::-1], low, total)
        return Slice(self.rows[low:high], low, total)

    def _count_before(self, cursor: Mapping[str, Any], reverse: bool, *, inclusive: bool) -> int:
        """Return the number of rows before a cursor in reading order, with or without its own row."""
        key = (self.sort.read(cursor["last_value"]), cursor["last_id"])
        if reverse:
            return len(self.keys) - (bisect_left(self.keys, key) if inclusive else bisect_right(self.keys, key))
        return bisect_right(self.keys, key) if inclusive else bisect_left(self.keys, key)


Histories: TypeAlias = Mapping[str, Sequence[Version]]


class _ResultFingerprint:
    """A fingerprint of a source's result, to detect a change in its next result."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._count = sum(map(len, histories.values()))
        self._latest = [history[-1] for history in histories.values()]

    def is_same(self, histories: Histories) -> bool:
        """Return whether a result has the same versions."""
        if sum(map(len, histories.values())) != self._count or len(histories) != len(self._latest):
            return False
        if histories is self._histories:
            return True
        return all(history[-1] is latest for history, latest in zip(histories.values(), self._latest, strict=True))


@dataclass
class _Snapshot:
    """The content of the index between two changes."""

    source_result: _ResultFingerprint
    since: datetime
    until: datetime | None
    nodes: dict[str, Node]
    listings: dict[tuple[str, str], Listing] = field(default_factory=dict)

    def holds(self, histories: Histories, instant: datetime) -> bool:
        in_time = self.since <= instant and (self.until is None or instant < self.until)
        return in_time and self.source_result.is_same(histories)


@dataclass
class _Owners:
    """The embedded records of live orders or products by id, each with its owner."""

    source_result: _ResultFingerprint
    records: dict[str, tuple[Node, Node]]


class Records:
    """The records of a source, with caches that persist between calls.

    Args:
        source: the source of the shop's trading.
        lag: how far the search index lags behind.
    """

    def __init__(self, source: ShopSource, lag: timedelta) -> None:
        self.source = source
        self.lag = lag
        self.snapshots: dict[ListKind, _Snapshot] = {}
        self.owners: dict[RecordKind, _Owners] = {}

    def at(self, now: datetime) -> "Moment":
        """Return the shop at an instant."""
        return Moment(self, now)


class Moment:
    """The shop during one call; its records do not change while the call reads them."""

    def __init__(self, records: Records, now: datetime) -> None:
        self._records = records
        self._live: dict[RecordKind, Histories] = {}
        self._embedded: dict[int, tuple[Node, dict[str, Node]]] = {}
        self.now = now
        self.shop = records.source.shop()
        self.zone = ZoneInfo(self.shop["ianaTimezone"])

    def record(self, gid: str) -> Node | None:
        """Return a live record by its global id; None if it does not exist or no longer exists."""
        kind = _KIND_OF.get(type_of(gid))
        if kind is None:
            pair = self.carried(gid)
            return None if pair is None else pair[1]
        history = self._histories(kind).get(gid)
        return (history[-1].node or None) if history else None

    def carried(self, gid: str) -> tuple[Node, Node] | None:
        """Return an embedded record and its live owner, such as a variant's product or a refund's order."""
        kinds: tuple[RecordKind, ...] = ("products",) if type_of(gid) == "ProductVariant" else ("orders",)
        for kind in kinds:
            pair = self._owners(kind).get(gid)
            if pair is not None:
                return pair
        return None

    def within(self, owner: Node, gid: str) -> Node | None:
        """Return the complete node of a record that is embedded in another one."""
        known = self._embedded.get(id(owner))
        if known is None:
            known = owner, _embedded(owner)
            self._embedded[id(owner)] = known
        return known[1].get(gid)

    def listing(self, kind: ListKind, text: str, search: Search, sort_key: str) -> Listing:
        """Return the index's rows that match a search, sorted; cached until the index changes.

        Args:
            kind: the list.
            text: the search text, the key of the cache; a text with `now` is not cached.
            search: the parsed search.
            sort_key: the name of the sort key.
        """
        snapshot = self._indexed(kind)
        key = (text, sort_key)
        if key in snapshot.listings and "now" not in text:
            return snapshot.listings[key]
        sort = LISTS[kind].sort_keys[sort_key]
        rows = [
            Row(sort.value(node), digits(gid), gid, node)
            for gid, node in snapshot.nodes.items()
            if search.matches(node)
        ]
        snapshot.listings[key] = Listing(rows, sort)
        return snapshot.listings[key]

    def _histories(self, kind: RecordKind) -> Histories:
        if kind not in self._live:
            self._live[kind] = self._records.source.versions(kind, self.now)
        return self._live[kind]

    def _indexed(self, kind: ListKind) -> _Snapshot:
        histories = self._histories("products" if kind == "variants" else kind)
        instant = self.now - self._records.lag
        known = self._records.snapshots.get(kind)
        if known is None or not known.holds(histories, instant):
            known = _snapshot(histories, instant)
            if kind == "variants":
                known.nodes = {
                    variant["id"]: variant for product in known.nodes.values() for variant in variants(product)
                }
            self._records.snapshots[kind] = known
        return known

    def _owners(self, kind: RecordKind) -> dict[str, tuple[Node, Node]]:
        histories = self._histories(kind)
        known = self._records.owners.get(kind)
        if known is None or not known.source_result.is_same(histories):
            known = _Owners(_ResultFingerprint(histories), {})
            for history in histories.values():
                owner = history[-1].node
                inner = {variant["id"]: variant for variant in variants(owner)} if kind == "products" else {}
                for gid, node in (inner or _embedded(owner)).items():
                    known.records[gid] = owner, node
            self._records.owners[kind] = known
        return known.records


def variants(product: Node) -> list[Node]:
    """Return a product's variants, each with a reference to its product."""
    return [{**variant, "product": {"id": product["id"]}} for variant in elements(product.get("variants"))]


def _snapshot(histories: Histories, instant: datetime) -> _Snapshot:
    snapshot = _Snapshot(_ResultFingerprint(histories), instant, None, {})
    for gid, history in histories.items():
        at = len(history) - 1
        while at >= 0 and history[at].at > instant:
            at -= 1
        if at + 1 < len(history):
            following = history[at + 1].at
            snapshot.until = following if snapshot.until is None else min(snapshot.until, following)
        if at >= 0 and history[at].node:
            snapshot.nodes[gid] = history[at].node
    return snapshot


def _embedded(owner: Node) -> dict[str, Node]:
    """Return every record inside another one that has more fields than its id."""
    records: dict[str, Node] = {}
    pending: list[Any] = _parts(owner.values())
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += _parts(value)
            continue
        gid = value.get("id")
        if gid is not None and len(value) > max(1, len(records.get(gid, ()))):
            records[gid] = value
        if "shopMoney" not in value:
            pending += _parts(value.values())
    return records


def _parts(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
