"""The requested cost of a document by the model of docs/contracts/shopify.md §3.2, read off the document alone.

A connection costs 2 + max(1, floor(2 ln n)) x its node, an object 1, a scalar 0, money 0; an abstract type the dearest
of its possible selections. No schema is needed: what has a selection is an object, what selects nodes a connection.
"""

import math
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    parse,
)

MONEY = {"shopMoney", "presentmentMoney", "amount", "currencyCode"}


def requested_cost(document: str, variables: Mapping[str, Any], *, linear: bool = False) -> int:
    """Return the points a document of one operation asks for; `linear` is the older, dearer reading."""
    return _Model(parse(document), variables, linear).total()


class _Model:
    def __init__(self, document: DocumentNode, variables: Mapping[str, Any], linear: bool) -> None:
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        (self._operation,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
        self._variables = variables
        self._linear = linear

    def total(self) -> int:
        return self._selection(self._operation.selection_set)

    def _selection(self, selection: SelectionSetNode) -> int:
        plain, alternatives = 0, [0]
        for item in selection.selections:
            if isinstance(item, FieldNode):
                plain += self._field(item)
            elif isinstance(item, InlineFragmentNode):
                alternatives.append(self._selection(item.selection_set))
            else:
                assert isinstance(item, FragmentSpreadNode)
                plain += self._selection(self._fragments[item.name.value].selection_set)
        return plain + max(alternatives)

    def _field(self, field: FieldNode) -> int:
        if field.selection_set is None or field.name.value == "pageInfo":
            return 0
        inner = field.selection_set
        names = self._names(inner)
        if names <= MONEY:
            return 0
        if names & {"nodes", "edges"}:
            return 2 + self._times(self._argument(field, "first")) * self._node(inner)
        if field.name.value == "nodes":  # the root field by ids; nested ones are reached through their connection
            return len(self._variables["ids"]) * (1 + self._selection(inner))
        return 1 + self._selection(inner)

    def _node(self, connection: SelectionSetNode) -> int:
        """The cost of one node, whether selected as `nodes` or as `edges { node }`."""
        for item in connection.selections:
            if isinstance(item, FieldNode) and item.name.value in {"nodes", "node"} and item.selection_set:
                return 1 + self._selection(item.selection_set)
            if isinstance(item, FieldNode) and item.name.value == "edges" and item.selection_set:
                return self._node(item.selection_set)
        raise AssertionError("a connection without nodes")

    def _times(self, first: int) -> int:
        return first if self._linear else max(1, math.floor(2 * math.log(first)))

    def _argument(self, field: FieldNode, name: str) -> int:
        value = next(a.value for a in field.arguments if a.name.value == name)
        if isinstance(value, VariableNode):
            return int(self._variables[value.name.value])
        assert isinstance(value, IntValueNode)
        return int(value.value)

    def _names(self, selection: SelectionSetNode) -> set[str]:
        names: set[str] = set()
        for item in selection.selections:
            if isinstance(item, FieldNode):
                names.add(item.name.value)
            elif isinstance(item, FragmentSpreadNode):
                names |= self._names(self._fragments[item.name.value].selection_set)
            elif isinstance(item, InlineFragmentNode):
                names |= self._names(item.selection_set)
        return names
