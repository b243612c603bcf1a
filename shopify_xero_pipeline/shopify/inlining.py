"""Replacement of the variables of a GraphQL document by their values.

Only bulk queries need it, and only they import graphql-core (docs/contracts/shopify.md §3.7).
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    REMOVE,
    BooleanValueNode,
    FieldNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    StringValueNode,
    VariableNode,
    Visitor,
)


class Inlining(Visitor):
    """Visitor that puts values in the place of variables.

    Args:
        values: the value of each variable.
    """

    def __init__(self, values: Mapping[str, str | bool]) -> None:
        super().__init__()
        self._values = values

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        """Remove a field that is not included."""
        for directive in node.directives:
            (argument,) = directive.arguments
            if isinstance(argument.value, VariableNode) and not self._values[argument.value.name.value]:
                return REMOVE
        return None

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        """Remove the directive of a field that is included."""
        if not node.directives:
            return None
        return FieldNode(
            alias=node.alias, name=node.name, arguments=node.arguments, directives=(), selection_set=node.selection_set
        )

    def leave_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> Any:
        """Remove a fragment that has become empty."""
        return None if node.selection_set.selections else REMOVE

    def leave_variable(self, node: VariableNode, *_: Any) -> Any:
        """Return the value of a variable."""
        value = self._values[node.name.value]
        return BooleanValueNode(value=value) if isinstance(value, bool) else StringValueNode(value=value)

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> Any:
        """Remove the definitions of the variables."""
        return OperationDefinitionNode(
            operation=node.operation,
            name=node.name,
            variable_definitions=(),
            directives=node.directives,
            selection_set=node.selection_set,
        )
