"""The check that recorded nodes have the fields of the pipeline's queries, run when a folder is read.

Each state of each record is resolved once through the served schema, so the rules are those of the responses: a field
that may be null may be missing, and so may a field that is derived from others. Only this check belongs here.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    parse,
    print_ast,
)

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version
from shopify_xero_pipeline.sandbox.recorded import RecordedError, RecordedShop
from shopify_xero_pipeline.sandbox.shopify import documents
from shopify_xero_pipeline.sandbox.shopify.call import Call
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.shopify.records import Records

MAX_LISTED = 5  # missing fields in one error message
CONNECTION = ("nodes", "edges", "node")
KINDS: Mapping[RecordKind, tuple[str, str]] = {
    "orders": ("Order", "Orders"),
    "customers": ("Customer", "Customers"),
    "products": ("Product", "Products"),
}
"""By kind, its type and the query that lists it."""


def check_fields(shop: RecordedShop, queries: Mapping[str, str]) -> None:
    """Check that each node has the fields of the queries.

    Args:
        shop: the recorded shop.
        queries: GraphQL documents by operation name.

    Raises:
        RecordedError: fields are missing; the message names file, line and field of the first five.
    """
    faults = [*_shop_faults(shop, queries["Shop"])]
    for kind, (name, operation) in KINDS.items():
        faults += _record_faults(shop, kind, _query_by_id(parse(queries[operation]), kind, name))
    if faults:
        more = f"\n... and {len(faults) - MAX_LISTED} more" if len(faults) > MAX_LISTED else ""
        raise RecordedError("\n".join(faults[:MAX_LISTED]) + more)


@dataclass(frozen=True)
class _OneState:
    """A shop in which one record has one of its states, and all others their last one."""

    shop_node: Node
    kind: RecordKind
    state: Mapping[str, Sequence[Version]]
    others: Mapping[RecordKind, Mapping[str, Sequence[Version]]]

    def shop(self) -> Node:
        return self.shop_node

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:  # noqa: ARG002
        return self.state if kind == self.kind else self.others[kind]


def _record_faults(shop: RecordedShop, kind: RecordKind, document: str) -> Iterator[str]:
    late = datetime.max.replace(tzinfo=UTC)
    whole = {other: shop.versions(other, late) for other in KINDS}
    own = dict(whole[kind])
    for gid, history in own.items():
        for version in history:
            source = _OneState(shop.shop(), kind, ChainMap({gid: [version]}, own), whole)
            yield from _faults(document, source, version.at, {"ids": [gid], "fees": True}, shop.place_of(version.node))


def _shop_faults(shop: RecordedShop, document: str) -> Iterator[str]:
    source = _OneState(shop.shop(), "orders", {}, {each: {} for each in KINDS})
    yield from _faults(document, source, datetime(2026, 1, 1, tzinfo=UTC), {}, shop.place_of(shop.shop()))


def _faults(document: str, source: _OneState, at: datetime, variables: dict[str, object], place: str) -> Iterator[str]:
    call = Call(Records(source, timedelta()).at(at), ShopifyOptions())
    operation = documents.read(document)
    result = execute_sync(documents.schema(), operation.tree, None, call, variable_values=variables)
    yield from (f"{place}: {_sentence(error)}" for error in result.errors or ())


def _sentence(error: GraphQLError) -> str:
    """Return a sentence with the field's path within the record, as in the file."""
    inside = list(error.path or ())[2:] if error.path and error.path[0] == "nodes" else list(error.path or ())[1:]
    steps = [step for step in inside if step not in CONNECTION]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if "non-nullable" in error.message:
        return f"{path or 'a field'} is missing or null, and the queries ask for it"
    return f"{path or 'a field'}: {error.message}"


def _query_by_id(listing: DocumentNode, field: RecordKind, name: str) -> str:
    """Return a document that queries one record by its id for the fields that a listing queries for each node."""
    (operation,) = [node for node in listing.definitions if isinstance(node, OperationDefinitionNode)]
    fragments = [print_ast(node) for node in listing.definitions if node is not operation]
    nodes = _selection(_selection(operation.selection_set, field), "nodes")
    fees = ", $fees: Boolean!" if "$fees" in print_ast(listing) else ""
    query = f"query ($ids: [ID!]!{fees}) {{ nodes(ids: $ids) {{ ... on {name} {print_ast(nodes)} }} }}"
    assert operation.operation is OperationType.QUERY
    return "\n".join([query, *fragments])


def _selection(parent: SelectionSetNode, name: str) -> SelectionSetNode:
    (field,) = [node for node in parent.selections if isinstance(node, FieldNode) and node.name.value == name]
    assert field.selection_set is not None
    return field.selection_set
