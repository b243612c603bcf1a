"""The rows of a bulk operation, grouped by order without holding them in memory.

The rows are in any order, and a child only names its parent (docs/contracts/shopify.md §3.7). An index on disk has the
place of each row in the file, so that one order at a time is read. This module knows no API.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from shopify_xero_pipeline.shopify.errors import IncompleteReadError, UnexpectedShapeError
from shopify_xero_pipeline.shopify.paging import Json
from shopify_xero_pipeline.shopify.search import parse_instant

_COMPLETE = {"hasNextPage": False, "endCursor": None}
_KINDS = ("LineItem", "Agreement", "Sale", "PaymentTerms", "PaymentSchedule")
_BATCH = 1_000  # rows in one statement

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE part (
    id TEXT, parent TEXT, type TEXT, at REAL, place INTEGER, size INTEGER, PRIMARY KEY (id, parent)
) WITHOUT ROWID;
CREATE TABLE refund (id TEXT PRIMARY KEY, order_id TEXT, at REAL, position INTEGER) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX part_parent ON part (parent);
CREATE INDEX part_at ON part (at, id) WHERE parent = '';
CREATE INDEX refund_at ON refund (at, order_id, position);
"""
_ORPHANS = """
SELECT count(*) FROM part AS child LEFT JOIN part AS owner ON owner.id = child.parent
WHERE child.parent <> '' AND owner.id IS NULL
"""
_BELOW = """
SELECT parent, type, place, size FROM part WHERE parent = :id
UNION ALL
SELECT grandchild.parent, grandchild.type, grandchild.place, grandchild.size
FROM part AS child JOIN part AS grandchild ON grandchild.parent = child.id WHERE child.parent = :id
ORDER BY place
"""
"""The rows of one connection keep Shopify's order, in which the lines of a document stand."""


class _Reference(msgspec.Struct):
    id: str


class _Row(msgspec.Struct):
    """The fields of a row that the index needs."""

    id: str
    type: str = msgspec.field(name="__typename")
    parent: str = msgspec.field(name="__parentId", default="")
    processed_at: str | None = msgspec.field(name="processedAt", default=None)
    terms: _Reference | None = msgspec.field(name="paymentTerms", default=None)
    refunds: list[_Reference] = msgspec.field(default_factory=list)


@dataclass(frozen=True)
class RowCount:
    """The numbers of rows in a file, and of different orders among them."""

    rows: int
    roots: int
    orders: int


class BulkRows:
    """The rows of a file with their index, which exists while the object is open.

    Args:
        rows: the file, one row a line.
        index: the file of the index; it is replaced.

    Raises:
        IncompleteReadError: a row is incomplete, or has no parent in the file.
        UnexpectedShapeError: a row has not the expected fields.
    """

    def __init__(self, rows: Path, index: Path) -> None:
        index.unlink(missing_ok=True)
        index.touch(mode=0o600)
        self._index = sqlite3.connect(index)
        self._rows = rows.open("rb")
        try:
            self._index.executescript(_SCHEMA)
            self._fill()
            self._index.executescript(_INDEXES)
            (orphans,) = self._index.execute(_ORPHANS).fetchone()
        except BaseException:
            self.close()
            raise
        if orphans:
            self.close()
            raise IncompleteReadError(f"{orphans} rows of a bulk operation belong to no order of it. Run it again.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._index.close()
        self._rows.close()

    @property
    def count(self) -> RowCount:
        """The numbers of rows, of rows without a parent, and of different orders."""
        return RowCount(self._lines, self._roots, self._index.execute(_COUNT).fetchone()[0])

    def orders(self) -> Iterator[Json]:
        """Yield the nodes of all orders, oldest first, in the shape of the document `Orders`.

        The refunds have no transactions, which a bulk query cannot read.
        """
        for order_id, place, size in self._index.execute(
            "SELECT id, place, size FROM part WHERE parent = '' ORDER BY at, id"
        ):
            yield self._assemble(order_id, self._node(place, size))

    def refund_ids(self) -> Iterator[str]:
        """Yield the ids of all refunds, in the order of `orders`."""
        for (refund_id,) in self._index.execute("SELECT id FROM refund ORDER BY at, order_id, position"):
            yield refund_id

    def _fill(self) -> None:
        self._lines, self._roots, place = 0, 0, 0
        decoder = msgspec.json.Decoder(_Row)
        parts: list[tuple[object, ...]] = []
        for line in self._rows:
            if line.strip():
                row = _decode(decoder, line)
                self._lines += 1
                self._roots += not row.parent
                parts += self._parts(row, place, len(line))
            place += len(line)
            if len(parts) >= _BATCH:
                self._insert(parts)
                parts = []
        self._insert(parts)

    def _parts(self, row: _Row, place: int, size: int) -> Iterator[tuple[object, ...]]:
        at = None
        if not row.parent:
            at = parse_instant(row.processed_at or "").timestamp()
            refunds = [(refund.id, row.id, at, position) for position, refund in enumerate(row.refunds)]
            self._index.executemany("INSERT OR REPLACE INTO refund VALUES (?, ?, ?, ?)", refunds)
            if row.terms is not None:  # it is not known whether instalments name their terms or their order as parent
                yield row.terms.id, row.id, "PaymentTerms", None, 0, 0
        yield row.id, row.parent, row.type, at, place, size

    def _insert(self, parts: Iterable[tuple[object, ...]]) -> None:
        """Insert rows; of a repeated one, the last counts."""
        self._index.executemany("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?)", parts)

    def _node(self, place: int, size: int) -> Json:
        self._rows.seek(place)
        node: Json = json.loads(self._rows.read(size), parse_float=Decimal)
        return node

    def _assemble(self, order_id: str, order: Json) -> Json:
        by_parent: dict[str, list[Json]] = {}
        by_kind: dict[str, list[Json]] = {kind: [] for kind in _KINDS}
        for parent, type_, place, size in self._index.execute(_BELOW, {"id": order_id}):
            kind = _kind_of(type_)
            if kind == "Sale":
                by_parent.setdefault(parent, []).append(self._node(place, size))
            elif kind != "PaymentTerms":
                by_kind[kind].append(self._node(place, size))
        for agreement in by_kind["Agreement"]:
            agreement["sales"] = _connection(by_parent.get(agreement["id"], []))
        order["lineItems"], order["agreements"] = _connection(by_kind["LineItem"]), _edges(by_kind["Agreement"])
        if order["paymentTerms"]:
            order["paymentTerms"]["paymentSchedules"] = _connection(by_kind["PaymentSchedule"])
        return order


_COUNT = "SELECT count(*) FROM part WHERE parent = ''"


def _decode(decoder: msgspec.json.Decoder[Any], line: bytes) -> _Row:
    try:
        row: _Row = decoder.decode(line)
    except msgspec.ValidationError:
        problem: type[IncompleteReadError | UnexpectedShapeError] = UnexpectedShapeError
    except msgspec.DecodeError:
        problem = IncompleteReadError
    else:
        return row
    # Outside the handlers, because the exceptions may quote personal data.
    raise problem("A row of a bulk operation is incomplete or has unexpected fields. None is used; run it again.")


def _kind_of(type_name: str) -> str:
    """Return the kind of a row; agreements and sales have several types each."""
    for kind in _KINDS:
        if type_name.endswith(kind):
            return kind
    raise UnexpectedShapeError(f"A bulk operation returned a row of the type {type_name!r}. Report this.")


def _connection(nodes: list[Json]) -> Json:
    return {"nodes": nodes, "pageInfo": dict(_COMPLETE)}


def _edges(nodes: list[Json]) -> Json:
    return {"edges": [{"cursor": None, "node": node} for node in nodes], "pageInfo": dict(_COMPLETE)}
