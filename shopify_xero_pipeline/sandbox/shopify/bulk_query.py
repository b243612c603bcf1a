"""The query of a bulk operation: its documented limits, and the rows of its result.

Source: docs/contracts/shopify.md §3.7. Most messages are recorded ones. The states of an operation over time are in
`bulk_operations.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    InlineFragmentNode,
    IntValueNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    execute_sync,
    get_named_type,
    parse,
    validate,
    visit,
)

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.call import Call
from shopify_xero_pipeline.sandbox.shopify.connections import digits
from shopify_xero_pipeline.sandbox.shopify.documents import schema

MAX_CONNECTIONS = 5
MAX_DEPTH = 2
"""Levels of connections below the one at the root."""

_ROOT_PAGE = 250
_WHOLE = 2**31 - 1  # `first` of a nested connection
_PAGING = frozenset({"first", "last", "after", "before"})
_LOSSY_SORT = re.compile(r"sortKey:\s*UPDATED_AT")
_OMITTED_ORDERS = 7
"""Every so many-th order is omitted by a sort by the searched time of change (docs/contracts/shopify.md trap 4)."""


def problems(text: str) -> list[str]:
    """Return why Shopify refuses a bulk query; empty if it accepts the query."""
    try:
        document = parse(text)
    except GraphQLError as error:
        reason = error.message.removeprefix("Syntax Error: ").replace("Unexpected <EOF>.", "unexpected end of file")
        return [f"Invalid bulk query: syntax error, {reason}"]
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation != OperationType.QUERY:
        return ["Invalid operation type. Only `query` operations are supported."]
    if operations[0].variable_definitions:
        return ["Invalid bulk query: variables are not supported."]
    if errors := validate(schema(), document):
        return [f"Invalid bulk query: {error.message}" for error in errors]
    return _Analysis(document).problems(operations[0])


@dataclass(frozen=True)
class _Place:
    """A place in a query: the connections above it, whether it is in a list, and the connection of its node."""

    depth: int = -1
    in_list: bool = False
    connection: str = ""
    has_id: bool = True


@dataclass
class _Analysis:
    """The connections of a query."""

    document: DocumentNode
    connections: int = 0
    deepest: int = 0
    without_edges: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    without_node: list[str] = field(default_factory=list)
    in_list: bool = False

    def problems(self, operation: OperationDefinitionNode) -> list[str]:
        roots = [each for each in operation.selection_set.selections if isinstance(each, FieldNode)]
        query = schema().query_type
        assert query is not None
        self._walk(operation.selection_set, query, _Place())
        reasons = [
            f"Bulk queries cannot contain a top level `{root.name.value}` field."
            for root in roots
            if root.name.value in {"node", "nodes"}
        ]
        if len(operation.selection_set.selections) > 1:
            reasons.append("Bulk queries must select a single top level field.")
        return [*reasons, *self._of_connections()]

    def _of_connections(self) -> Iterator[str]:
        if self.without_edges:
            yield (
                "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
                "'products { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: "
                f"{', '.join(map(repr, self.without_edges))}."
            )
        if self.without_node:
            yield f"Connection fields must implement the Node interface: {', '.join(self.without_node)}."
        if self.deepest > MAX_DEPTH:
            yield f"Bulk queries cannot contain connections with a nesting depth greater than {MAX_DEPTH}."
        if self.connections > MAX_CONNECTIONS:
            yield f"Bulk queries cannot contain more than {MAX_CONNECTIONS} connections."
        if self.without_id:
            yield (
                "The parent 'node' field for a nested connection must select the 'id' field without an alias and must "
                f"be of 'ID' return type. Connection fields without 'id': {', '.join(dict.fromkeys(self.without_id))}."
            )
        if self.in_list:
            yield "Queries that contain a connection field within a list field are not currently supported."
        if not self.connections:
            yield "Bulk queries must contain at least one connection."

    def _walk(self, selection: SelectionSetNode | None, parent: GraphQLNamedType, place: _Place) -> None:
        for name, selected, definition in self._fields(selection, parent):
            named = get_named_type(definition)
            if named.name.endswith("Connection"):
                self._connection(name, selected, named, place)
            else:
                self._walk(selected.selection_set, named, replace(place, in_list=place.in_list or _is_list(definition)))

    def _connection(self, name: str, selected: FieldNode, named: GraphQLNamedType, place: _Place) -> None:
        self.connections += 1
        depth = place.depth + 1
        self.deepest = max(self.deepest, depth)
        self.in_list = self.in_list or place.in_list
        if not place.has_id:
            self.without_id.append(place.connection)
        inner = {key: (node, type_) for key, node, type_ in self._fields(selected.selection_set, named)}
        edges = inner.get("edges")
        if edges is None or "nodes" in inner:
            self.without_edges.append(name)
            return
        for key, node, type_ in self._fields(edges[0].selection_set, get_named_type(edges[1])):
            if key == "node":
                node_type = get_named_type(type_)
                if not _is_node(node_type):
                    self.without_node.append(name)
                fields = self._fields(node.selection_set, node_type)
                has_id = any(each == "id" and selected.name.value == "id" for each, selected, _ in fields)
                self._walk(node.selection_set, node_type, _Place(depth, connection=name, has_id=has_id))

    def _fields(
        self, selection: SelectionSetNode | None, parent: GraphQLNamedType
    ) -> Iterator[tuple[str, FieldNode, Any]]:
        """Yield each selected field with subfields or arguments: its response key, its node and its type."""
        for each in selection.selections if selection else ():
            if isinstance(each, FieldNode):
                definition = getattr(parent, "fields", {}).get(each.name.value)
                if definition is not None:
                    yield each.alias.value if each.alias else each.name.value, each, definition.type
            elif isinstance(each, InlineFragmentNode):
                named = schema().get_type(each.type_condition.name.value) if each.type_condition else parent
                yield from self._fields(each.selection_set, named or parent)
            elif isinstance(each, FragmentSpreadNode):
                fragment = self._fragment(each.name.value)
                named = schema().get_type(fragment.type_condition.name.value)
                yield from self._fields(fragment.selection_set, named or parent)

    def _fragment(self, name: str) -> FragmentDefinitionNode:
        return next(
            each
            for each in self.document.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value == name
        )


def _is_list(type_: Any) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)


def _is_node(type_: GraphQLNamedType) -> bool:
    """Return whether a connection may have nodes of a type; agreements and sales, which only have an id, count too."""
    if isinstance(type_, GraphQLInterfaceType):
        return "id" in type_.fields
    return isinstance(type_, GraphQLObjectType) and any(each.name == "Node" for each in type_.interfaces)


@dataclass(frozen=True)
class BulkResult:
    """The result of a query.

    Attributes:
        rows: the lines of the file.
        roots: the number of objects of the connection at the root.
        error: the error code; None if the query succeeded.
    """

    rows: list[bytes]
    roots: int
    error: str | None = None


def execute(text: str, call: Call) -> BulkResult:
    """Return the result of a valid query at the instant of a call, each row followed by its children.

    Args:
        text: the query.
        call: the shop at an instant; its limits of pages do not apply.
    """
    call.options = replace(call.options, page_limit=_WHOLE, list_limit=_WHOLE)
    rows: list[bytes] = []
    roots, after = 0, ""
    while True:
        result = execute_sync(schema(), _page_of(text, after), None, call)
        if result.errors or not result.data:
            codes = {(error.extensions or {}).get("code") for error in result.errors or ()}
            return BulkResult(rows, roots, "ACCESS_DENIED" if "ACCESS_DENIED" in codes else "INTERNAL_SERVER_ERROR")
        (connection,) = result.data.values()
        nodes = [edge["node"] for edge in connection["edges"] if not _is_omitted(text, edge["node"])]
        roots += len(nodes)
        rows += [row for node in nodes for row in _rows(node, None)]
        if not connection["pageInfo"]["hasNextPage"]:
            return BulkResult(rows, roots)
        after = connection["pageInfo"]["endCursor"]


def _is_omitted(text: str, node: Node) -> bool:
    """Return whether Shopify omits a record without an error."""
    return bool(_LOSSY_SORT.search(text)) and "updated_at:" in text and digits(node.get("id")) % _OMITTED_ORDERS == 0


def _rows(node: Node, parent: str | None) -> Iterator[bytes]:
    """Yield the row of a node, and those of its connections."""
    children: list[Node] = []
    content = _without_connections(node, children)
    if parent is not None:
        content["__parentId"] = parent
    yield msgspec.json.encode(content)
    for child in children:
        yield from _rows(child, node.get("id"))


def _without_connections(node: Node, children: list[Node]) -> Node:
    content: Node = {}
    for key, value in node.items():
        if isinstance(value, dict) and "edges" in value:
            children += [edge["node"] for edge in value["edges"]]
        else:
            content[key] = _without_connections(value, children) if isinstance(value, dict) else value
    return content


def _page_of(text: str, after: str) -> DocumentNode:
    """Return a query with whole nested connections, and with the page of the one at the root after a cursor."""
    types = TypeInfo(schema())
    paged: DocumentNode = visit(parse(text), TypeInfoVisitor(types, _Paging(types, after)))
    return paged


class _Paging(Visitor):
    """Replaces the arguments for pages, which Shopify ignores in a bulk query, and removes cursors."""

    def __init__(self, types: TypeInfo, after: str) -> None:
        super().__init__()
        self._types = types
        self._after = after

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        parent, type_ = self._types.get_parent_type(), self._types.get_type()
        if parent is not None and parent.name.endswith("Edge") and node.name.value == "cursor":
            return REMOVE
        if type_ is None or not get_named_type(type_).name.endswith("Connection"):
            return None
        is_root = parent is not None and parent.name == "QueryRoot"
        arguments = [each for each in node.arguments if each.name.value not in _PAGING]
        arguments.append(_argument("first", IntValueNode(value=str(_ROOT_PAGE if is_root else _WHOLE))))
        if is_root and self._after:
            arguments.append(_argument("after", StringValueNode(value=self._after)))
        selection = node.selection_set
        if is_root and selection is not None:
            page = parse("{ pageInfo { hasNextPage endCursor } }").definitions[0]
            assert isinstance(page, OperationDefinitionNode)
            selection = SelectionSetNode(selections=(*selection.selections, *page.selection_set.selections))
        return FieldNode(
            alias=node.alias, name=node.name, arguments=tuple(arguments), directives=node.directives,
            selection_set=selection,
        )  # fmt: skip


def _argument(name: str, value: IntValueNode | StringValueNode) -> ArgumentNode:
    return ArgumentNode(name=NameNode(value=name), value=value)
