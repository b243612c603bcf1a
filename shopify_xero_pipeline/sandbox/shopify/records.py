"""The shop's records at an instant: live ones by id, and lists as the late search index sees them (E9).

Asks the source, remembers what it can between calls and knows nothing of GraphQL. Lists match and sort on the index's
version of a record and name its id; whoever shows a row reads the record itself.
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
    """A row of a list: its sort value and the record's id."""

    value: Any
    number: int
    gid: str
    node: Node

    @property
    def key(self) -> tuple[Any, int]:
        """What rows are ordered by; ties go by id (E11)."""
        return self.value, self.number


@dataclass(frozen=True)
class Slice:
    """Rows of one page and where they stand in the whole list."""

    rows: Sequence[Row]
    start: int
    total: int


@dataclass
class Listing:
    """A list found and sorted, upwards."""

    rows: list[Row]
    sort: SortKey
    keys: list[tuple[Any, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.rows.sort(key=lambda row: row.key)
        self.keys = [row.key for row in self.rows]

    def cut(self, asked: Window) -> Slice:
        """Return the rows a window asks for.

        Raises:
            FieldError: a cursor of another sort.
        """
        total = len(self.rows)
        start = 0 if asked.after is None else self._passed(asked.after, asked.reverse, inclusive=True)
        end = total if asked.before is None else self._passed(asked.before, asked.reverse, inclusive=False)
        low, high = asked.cut(start, end)
        if asked.reverse:
            return Slice(self.rows[total - high : total - low][::-1], low, total)
        return Slice(self.rows[low:high], low, total)

    def _passed(self, cursor: Mapping[str, Any], reverse: bool, *, inclusive: bool) -> int:
        """Count the rows before a cursor in reading order, with or without its own."""
        key = (self.sort.read(cursor["last_value"]), cursor["last_id"])
        if reverse:
            return len(self.keys) - (bisect_left(self.keys, key) if inclusive else bisect_right(self.keys, key))
        return bisect_right(self.keys, key) if inclusive else bisect_left(self.keys, key)


Histories: TypeAlias = Mapping[str, Sequence[Version]]


class _Seen:
    """What a source answered, to be told from its next answer."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._count = sum(map(len, histories.values()))
        self._latest = [history[-1] for history in histories.values()]

    def again(self, histories: Histories) -> bool:
        """Tell whether an answer holds the same versions."""
        if sum(map(len, histories.values())) != self._count or len(histories) != len(self._latest):
            return False
        if histories is self._histories:
            return True
        return all(history[-1] is latest for history, latest in zip(histories.values(), self._latest, strict=True))


@dataclass
class _Snapshot:
    """What the index holds from one change to the next."""

    seen: _Seen
    since: datetime
    until: datetime | None
    nodes: dict[str, Node]
    listings: dict[tuple[str, str], Listing] = field(default_factory=dict)

    def holds(self, histories: Histories, instant: datetime) -> bool:
        in_time = self.since <= instant and (self.until is None or instant < self.until)
        return in_time and self.seen.again(histories)


@dataclass
class _Owners:
    """Which live order or product carries an embedded record, and that record."""

    seen: _Seen
    found: dict[str, tuple[Node, Node]]


class Records:
    """The records of a source, with what is remembered about them between calls.

    Args:
        source: Where the shop's trading comes from.
        lag: How far the search index is behind.
    """

    def __init__(self, source: ShopSource, lag: timedelta) -> None:
        self.source = source
        self.lag = lag
        self.snapshots: dict[ListKind, _Snapshot] = {}
        self.owners: dict[RecordKind, _Owners] = {}

    def at(self, now: datetime) -> "Moment":
        """Return the shop as it is at an instant."""
        return Moment(self, now)


class Moment:
    """The shop during one call: nothing changes while it is read."""

    def __init__(self, records: Records, now: datetime) -> None:
        self._records = records
        self._live: dict[RecordKind, Histories] = {}
        self._embedded: dict[int, tuple[Node, dict[str, Node]]] = {}
        self.now = now
        self.shop = records.source.shop()
        self.zone = ZoneInfo(self.shop["ianaTimezone"])

    def record(self, gid: str) -> Node | None:
        """Return a live record by its global id; null when there is none (any more)."""
        kind = _KIND_OF.get(type_of(gid))
        if kind is None:
            pair = self.carried(gid)
            return None if pair is None else pair[1]
        history = self._histories(kind).get(gid)
        return (history[-1].node or None) if history else None

    def carried(self, gid: str) -> tuple[Node, Node] | None:
        """Return the live record that carries an embedded one, and that one: a variant's product, a refund's order."""
        kinds: tuple[RecordKind, ...] = ("products",) if type_of(gid) == "ProductVariant" else ("orders",)
        for kind in kinds:
            found = self._owners(kind).get(gid)
            if found is not None:
                return found
        return None

    def within(self, owner: Node, gid: str) -> Node | None:
        """Return a record embedded in another one, as it is there in full."""
        known = self._embedded.get(id(owner))
        if known is None:
            known = owner, _embedded(owner)
            self._embedded[id(owner)] = known
        return known[1].get(gid)

    def listing(self, kind: ListKind, text: str, search: Search, sort_key: str) -> Listing:
        """Return the index's rows that a search meets, sorted; remembered until the index changes."""
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
        if known is None or not known.seen.again(histories):
            known = _Owners(_Seen(histories), {})
            for history in histories.values():
                owner = history[-1].node
                inner = {variant["id"]: variant for variant in variants(owner)} if kind == "products" else {}
                for gid, node in (inner or _embedded(owner)).items():
                    known.found[gid] = owner, node
            self._records.owners[kind] = known
        return known.found


def variants(product: Node) -> list[Node]:
    """Return a product's variants, each with the product it belongs to."""
    return [{**variant, "product": {"id": product["id"]}} for variant in elements(product.get("variants"))]


def _snapshot(histories: Histories, instant: datetime) -> _Snapshot:
    snapshot = _Snapshot(_Seen(histories), instant, None, {})
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
    """Return every record inside another one that stands there with more than its id."""
    found: dict[str, Node] = {}
    waiting: list[Any] = _parts(owner.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += _parts(value)
            continue
        gid = value.get("id")
        if gid is not None and len(value) > max(1, len(found.get(gid, ()))):
            found[gid] = value
        if "shopMoney" not in value:
            waiting += _parts(value.values())
    return found


def _parts(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
