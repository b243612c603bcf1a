"""The cost of a query before and after its execution, and the bucket of points it is paid from.

Source: docs/contracts/shopify.md §3.1-3.4, E6.

The cost model was fitted to real responses: a connection costs two points plus its nodes times a factor, which grows
with the logarithm of the page size, or linearly in strict mode. Execution is in `app.py`.
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
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.values import get_argument_values

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions

DOCUMENTATION = "https://shopify.dev/api/usage/rate-limits"
_MUTATION = 10  # points of a mutation, whatever it returns
_FREE = frozenset({"MoneyBag", "MoneyV2", "PageInfo"})  # types without points


@dataclass(frozen=True)
class _Selection:
    """The cost of one selection.

    Attributes:
        own: its own points, without its subfields.
        full: all of its points with full pages.
        below: the subfields with a cost, for any type that a response may have.
        paged: whether it is a connection.
    """

    own: int
    full: int
    below: tuple[tuple[str, "_Selection"], ...]
    paged: bool = False


_Children = dict[str, _Selection]


class QueryCost:
    """The cost of one operation.

    Args:
        schema: the schema against which the operation was validated.
        fragments: the document's fragments by name.
        variables: coerced variable values.
        linear: whether a page costs as much as all of its nodes.
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
        """Return the operation's cost with full pages.

        Raises:
            ValueError: the schema has no such operation.
        """
        root = self._schema.get_root_type(operation.operation)
        if root is None:
            raise ValueError("the schema has no such operation")
        grouped = collect_fields(self._schema, self._fragments, self._variables, root, operation.selection_set)
        if operation.operation == OperationType.MUTATION:
            self._root = _Selection(_MUTATION * len(grouped), _MUTATION * len(grouped), ())
            return self._root.full
        self._root = self._sum(0, [self._children(root, grouped)])
        return self._root.full

    def actual(self, answer: Node | None) -> int:
        """Return the actual cost of the operation last passed to `requested`, for its response."""
        return math.floor(self._spent(self._root, answer))

    def _children(self, parent: GraphQLObjectType, grouped: Mapping[str, list[FieldNode]]) -> _Children:
        selections = {}
        for key, fields in grouped.items():
            definition = parent.fields.get(fields[0].name.value)
            named = None if definition is None else get_named_type(definition.type)
            if definition is None or named is None or is_leaf_type(named) or named.name in _FREE:
                continue
            arguments = get_argument_values(definition, fields[0], self._variables)
            selections[key] = self._selection(named, fields, arguments)
        return selections

    def _selection(self, named: GraphQLNamedType, fields: list[FieldNode], arguments: Mapping[str, Any]) -> _Selection:
        types = self._schema.get_possible_types(named) if is_abstract_type(named) else [named]  # type: ignore[arg-type]
        by_type = []
        for member in types:
            if isinstance(member, GraphQLObjectType):
                grouped = collect_sub_fields(self._schema, self._fragments, self._variables, member, fields)
                by_type.append(self._children(member, grouped))
        if named.name.endswith("Connection"):
            return self._sum(2, by_type, arguments.get("first") or arguments.get("last") or 1)
        return self._sum(0 if named.name.endswith("Edge") else 1, by_type)

    def _sum(self, own: int, by_type: list[_Children], page: int | None = None) -> _Selection:
        """Add up the subfields of the most expensive type."""
        dearest = max((sum(child.full for child in children.values()) for children in by_type), default=0)
        merged: _Children = {}
        for children in by_type:
            for key, child in children.items():
                if child.full > (merged[key].full if key in merged else 0):
                    merged[key] = child
        full = own + dearest * (1 if page is None else self._page_factor(page))
        return _Selection(own, full, tuple(merged.items()), page is not None)

    def _page_factor(self, size: int) -> int:
        """Return the factor for a page: its size in strict mode, else twice its natural logarithm, floored."""
        return size if self._linear else max(1, math.floor(2 * math.log(max(1, size))))

    def _spent(self, selection: _Selection, answer: Any) -> float:
        if answer is None:
            return 0
        if isinstance(answer, list):
            return max((self._spent(selection, item) for item in answer), default=0)
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
                total += sum(self._spent(child, row) for row in rows) / len(rows) * self._page_factor(len(rows))
        return selection.own + total


class Bucket:
    """A leaky bucket of points for one app on one shop."""

    def __init__(self, options: ShopifyOptions, now: datetime) -> None:
        self._size = options.bucket_size
        self._rate = options.restore_rate
        self._level = float(options.bucket_size)
        self._at = now

    def take(self, points: int, now: datetime) -> bool:
        """Take points if the bucket holds enough; return whether it did."""
        self._refill(now)
        if points > self._level:
            return False
        self._level -= points
        return True

    def give_back(self, points: int) -> None:
        """Return the points that a query did not use."""
        self._level = min(self._size, self._level + points)

    def drain(self, points: int, now: datetime) -> None:
        """Remove points without a query, as another app's worker would."""
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
    """Return the error for a query that exceeds the bucket's current level (3.4)."""
    return {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": DOCUMENTATION}}


def too_expensive(cost: int, limit: int) -> Node:
    """Return the error for a query above the limit of a single query (3.4)."""
    return {
        "message": f"Query cost is {cost}, which exceeds the single query max cost limit ({limit}).\n\n"
        f"See {DOCUMENTATION} for more information on how the\ncost of a query is calculated.",
        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": limit, "documentation": DOCUMENTATION},
    }
