"""What a query costs, before and after it runs, and the bucket it is paid from.

Source: docs/contracts/shopify.md §3.1-3.4, E6.

The cost model is the one fitted on real answers: a connection costs two points and a factor that grows with the
logarithm of its page size, or linearly in strict mode. Running the query does not belong here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions

DOCUMENTATION = "https://shopify.dev/api/usage/rate-limits"
_FREE = frozenset({"MoneyBag", "MoneyV2", "PageInfo"})


@dataclass(frozen=True)
class _Selection:
    """The cost of one selection.

    Attributes:
        own: Its own points, without what it asks for below.
        full: All of its points when every page is full.
        below: What may cost anything below, whichever type an answer turns out to be.
        paged: Whether it is a connection.
    """

    own: int
    full: int
    below: tuple[tuple[str, "_Selection"], ...]
    paged: bool = False


_Children = dict[str, _Selection]


class QueryCost:
    """The price of one operation.

    Args:
        schema: The schema the operation was validated against.
        fragments: The document's fragments by name.
        variables: Coerced variable values.
        linear: Whether a page costs as much as all of its nodes.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: dict[str, Any],
        *,
        linear: bool,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._linear = linear
        self._root = _Selection(0, 0, ())

    def requested(self, operation: OperationDefinitionNode) -> int:
        """Return what the operation costs when every page is full."""
        root = self._schema.query_type
        if root is None:
            raise ValueError("the schema has no query type")
        grouped = collect_fields(self._schema, self._fragments, self._variables, root, operation.selection_set)
        self._root = self._sum(0, [self._children(root, grouped)])
        return self._root.full

    def actual(self, answer: Node | None) -> int:
        """Return what the operation last asked about cost with the answer it got."""
        return math.floor(self._spent(self._root, answer))

    def _children(self, parent: GraphQLObjectType, grouped: Mapping[str, list[FieldNode]]) -> _Children:
        found = {}
        for key, asked in grouped.items():
            definition = parent.fields.get(asked[0].name.value)
            named = None if definition is None else get_named_type(definition.type)
            if definition is None or named is None or is_leaf_type(named) or named.name in _FREE:
                continue
            given = get_argument_values(definition, asked[0], self._variables)
            found[key] = self._selection(named, asked, given)
        return found

    def _selection(self, named: GraphQLNamedType, asked: list[FieldNode], given: Mapping[str, Any]) -> _Selection:
        types = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]  # type: ignore[arg-type]
        by_type = []
        for each in types:
            if isinstance(each, GraphQLObjectType):
                grouped = collect_sub_fields(self._schema, self._fragments, self._variables, each, asked)
                by_type.append(self._children(each, grouped))
        if named.name.endswith("Connection"):
            return self._sum(2, by_type, given.get("first") or given.get("last") or 1)
        return self._sum(0 if named.name.endswith("Edge") else 1, by_type)

    def _sum(self, own: int, by_type: list[_Children], page: int | None = None) -> _Selection:
        """Add up what stands below, for the dearest type."""
        dearest = max((sum(child.full for child in children.values()) for children in by_type), default=0)
        merged: _Children = {}
        for children in by_type:
            for key, child in children.items():
                if child.full > (merged[key].full if key in merged else 0):
                    merged[key] = child
        full = own + dearest * (1 if page is None else self._times(page))
        return _Selection(own, full, tuple(merged.items()), page is not None)

    def _times(self, size: int) -> int:
        return size if self._linear else max(1, math.floor(2 * math.log(max(1, size))))

    def _spent(self, selection: _Selection, answer: Any) -> float:
        if answer is None:
            return 0
        if isinstance(answer, list):
            return max((self._spent(selection, each) for each in answer), default=0)
        if selection.paged:
            return self._page_spent(selection, answer)
        spent: float = selection.own
        for key, child in selection.below:
            spent += self._spent(child, answer.get(key))
        return spent

    def _page_spent(self, selection: _Selection, answer: Node) -> float:
        total = 0.0
        for key, child in selection.below:
            rows = answer.get(key)
            if isinstance(rows, list) and rows:
                total += sum(self._spent(child, row) for row in rows) / len(rows) * self._times(len(rows))
        return selection.own + total


class Bucket:
    """A leaky bucket of points for one app on one shop."""

    def __init__(self, options: ShopifyOptions, now: datetime) -> None:
        self._size = options.bucket_size
        self._rate = options.restore_rate
        self._level = float(options.bucket_size)
        self._at = now

    def take(self, points: int, now: datetime) -> bool:
        """Take points out if there are enough."""
        self._refill(now)
        if points > self._level:
            return False
        self._level -= points
        return True

    def give_back(self, points: int) -> None:
        """Return what a query did not use."""
        self._level = min(self._size, self._level + points)

    def drain(self, points: int, now: datetime) -> None:
        """Take points away without a query, as another app's worker would."""
        self._refill(now)
        self._level = max(0.0, self._level - points)

    def status(self, now: datetime) -> Node:
        """Return the `throttleStatus` node."""
        self._refill(now)
        return {
            "maximumAvailable": self._size,
            "currentlyAvailable": math.floor(self._level),
            "restoreRate": self._rate,
        }

    def _refill(self, now: datetime) -> None:
        passed = max(0.0, (now - self._at).total_seconds())
        self._level = min(float(self._size), self._level + passed * self._rate)
        self._at = max(self._at, now)


def throttled() -> Node:
    """Return the error of a query the bucket does not hold enough for (3.4)."""
    return {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": DOCUMENTATION}}


def too_expensive(cost: int, limit: int) -> Node:
    """Return the error of a query that no bucket could hold (3.4)."""
    return {
        "message": f"Query cost is {cost}, which exceeds the single query max cost limit ({limit}).\n\n"
        f"See {DOCUMENTATION} for more information on how the\ncost of a query is calculated.",
        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": limit, "documentation": DOCUMENTATION},
    }
