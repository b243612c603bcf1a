"""Resolvers of the Admin API's fields and types over stored nodes, attached to the schema for graphql-core.

The resolvers are generic where possible: a field is the node's value of that name, and a reference by id becomes the
whole record. The root's fields are in `root.py`, derived values in `derived.py`. Resolvers get the call from their
context; nothing in this module depends on one call.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from graphql import (
    GraphQLAbstractType,
    GraphQLField,
    GraphQLFieldResolver,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLTypeResolver,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_introspection_type,
    is_leaf_type,
)

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.access import require, scopes_for
from shopify_xero_pipeline.sandbox.shopify.call import Call, Entry
from shopify_xero_pipeline.sandbox.shopify.connections import elements, stored_page, window
from shopify_xero_pipeline.sandbox.shopify.derived import DERIVED, guess_type
from shopify_xero_pipeline.sandbox.shopify.errors import INTERNAL, FieldError
from shopify_xero_pipeline.sandbox.shopify.root import MUTATIONS, ROOT
from shopify_xero_pipeline.sandbox.shopify.scalars import SCALARS

_OWNERS = frozenset({"Order", "Product", "Customer"})
"""Types whose records contain others."""

_Stored: TypeAlias = Callable[[Node, Node, Call], Any]
"""From a node and its owner to a field's stored or derived value."""

_Shape: TypeAlias = Callable[[Any, Node, Call, Mapping[str, Any]], Any]
"""From a stored value, its owner and the field's arguments to the value from which subfields are resolved."""


def attach(schema: GraphQLSchema) -> GraphQLSchema:
    """Attach the resolvers to a schema's types and fields, and return the schema."""
    for each in schema.type_map.values():
        if is_introspection_type(each):
            continue
        if isinstance(each, GraphQLObjectType):
            for name, field in each.fields.items():
                field.resolve = _scoped_resolver(each.name, name, field)
        elif isinstance(each, GraphQLInterfaceType | GraphQLUnionType):
            each.resolve_type = _type_resolver(schema, each)
        elif isinstance(each, GraphQLScalarType) and each.name in SCALARS:
            each.serialize = SCALARS[each.name]  # type: ignore[method-assign, assignment]
    return schema


def _scoped_resolver(parent: str, name: str, field: GraphQLField) -> GraphQLFieldResolver:
    """Return a field's resolver, which refuses a call without the field's scope."""
    resolver = _resolver(parent, name, field)
    scopes = scopes_for(parent, name, get_named_type(field.type).name)
    if not scopes:
        return resolver

    def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        require(scopes, info.context.options.scopes, name)
        return resolver(source, info, **arguments)

    return resolve


def _resolver(parent: str, name: str, field: GraphQLField) -> GraphQLFieldResolver:
    if parent in ("QueryRoot", "Mutation"):
        return (ROOT if parent == "QueryRoot" else MUTATIONS)[name]
    if parent.endswith("Connection"):
        return _PAGE[name]
    stored = _stored(parent, name, field)
    if is_leaf_type(get_named_type(field.type)):
        return _leaf(parent, name, stored)
    return _composite(parent, _shape(name, field), stored)


def _leaf(parent: str, name: str, stored: _Stored) -> GraphQLFieldResolver:
    itself = parent in _OWNERS

    def resolve(source: Entry, info: GraphQLResolveInfo) -> Any:
        value = source.node.get(name)
        if value is not None:
            return value
        return stored(source.node, source.node if itself else source.owner, info.context)

    return resolve


def _composite(parent: str, shape: _Shape, stored: _Stored) -> GraphQLFieldResolver:
    itself = parent in _OWNERS

    def resolve(source: Entry, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        owner = source.node if itself else source.owner
        return shape(stored(source.node, owner, info.context), owner, info.context, arguments)

    return resolve


def _stored(parent: str, name: str, field: GraphQLField) -> _Stored:
    derived = DERIVED.get((parent, name)) or DERIVED.get(("", name))
    empty: Any = [] if isinstance(field.type, GraphQLNonNull) and _is_list(field) else None

    def stored(node: Node, owner: Node, call: Call) -> Any:
        value = node.get(name)
        if value is not None:
            return value
        if name in node:
            return empty
        value = call.missing(node, name)
        if value is not None:
            return value
        return derived(node, owner) if derived is not None else empty

    return stored


def _shape(name: str, field: GraphQLField) -> _Shape:
    result = get_named_type(field.type)
    if result.name.endswith("Connection"):
        return _connection_without_removals if name == "shippingLines" else _connection
    if _is_list(field):
        return _list
    return _record if is_abstract_type(result) or "id" in getattr(result, "fields", ()) else _part


def _is_list(field: GraphQLField) -> bool:
    bare = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return isinstance(bare, GraphQLList)


def _part(value: Any, owner: Node, _call: Call, _arguments: Mapping[str, Any]) -> Entry | None:
    """Return a value that is never a reference, such as an amount or an address."""
    return None if value is None else Entry(value, owner)


def _record(value: Any, owner: Node, call: Call, _arguments: Mapping[str, Any]) -> Entry | None:
    node = call.whole(value, owner)
    return None if node is None else Entry(node, owner)


def _list(value: Any, owner: Node, call: Call, arguments: Mapping[str, Any]) -> list[Entry | None] | None:
    if value is None:
        return None
    first = arguments.get("first")
    size = None if first is None else window(arguments, call.options.page_limit).first
    return _entries((call.whole(node, owner) for node in elements(value)[:size]), owner)


def _connection(value: Any, owner: Node, call: Call, arguments: Mapping[str, Any]) -> Entry:
    rows = [call.whole(node, owner) for node in elements(value)]
    return Entry(stored_page(rows, window(arguments, call.options.page_limit)), owner)


def _connection_without_removals(value: Any, owner: Node, call: Call, arguments: Mapping[str, Any]) -> Entry:
    rows = elements(value)
    matches = rows if arguments.get("includeRemovals") else [row for row in rows if not row.get("isRemoved")]
    return _connection(matches, owner, call, arguments)


def _entries(nodes: Iterable[Any], owner: Node) -> list[Entry | None]:
    return [None if node is None else Entry(node, owner) for node in nodes]


_PAGE: Mapping[str, GraphQLFieldResolver] = {
    "nodes": lambda source, _info: _entries(source.node.nodes, source.owner),
    "edges": lambda source, _info: _entries(source.node.edges(), source.owner),
    "pageInfo": lambda source, _info: Entry(source.node.info(), source.owner),
}


def _type_resolver(schema: GraphQLSchema, abstract: GraphQLAbstractType) -> GraphQLTypeResolver:
    """Return the resolver of a node's concrete type: by `__typename`, by its id, or by its fields."""
    field = abstract.name[0].lower() + abstract.name[1:]
    scopes = {each.name: scopes_for("", field, each.name) for each in schema.get_possible_types(abstract)}

    def resolve(source: Entry, info: GraphQLResolveInfo, _abstract: GraphQLAbstractType) -> str:
        name = source.node.get("__typename") or guess_type(abstract.name, scopes, source.node)
        if name not in scopes:
            gid = source.node.get("id")
            raise FieldError(f"The data does not determine which {abstract.name} {gid} is.", INTERNAL)
        require(scopes[name], info.context.options.scopes, field)
        return str(name)

    return resolve
