"""Whether recorded nodes hold what the pipeline's queries ask for, looked at when a folder is read.

Every state of every record is answered once through the served schema, so that the rules are those of the answers: what
may be null may be missing, and so may what follows from other fields. Only this check belongs here.
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

SHOWN = 5
CONNECTION = ("nodes", "edges", "node")
KINDS: Mapping[RecordKind, tuple[str, str]] = {
    "orders": ("Order", "Orders"),
    "customers": ("Customer", "Customers"),
    "products": ("Product", "Products"),
}
"""By kind: its type, and the query that lists it."""


def check_fields(shop: RecordedShop, queries: Mapping[str, str]) -> None:
    """Check that every node holds what the queries ask for.

    Args:
        shop: as it was read from its folder.
        queries: GraphQL documents by the name of their operation.

    Raises:
        RecordedError: it names file, line and field of the first few that are missing.
    """
    found = [*_of_shop(shop, queries["Shop"])]
    for kind, (name, operation) in KINDS.items():
        found += _of_kind(shop, kind, _by_id(parse(queries[operation]), kind, name))
    if found:
        more = f"\n... and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise RecordedError("\n".join(found[:SHOWN]) + more)


@dataclass(frozen=True)
class _OneState:
    """A shop in which one record stands as one state of it says, and all others as they stood last."""

    shop_node: Node
    kind: RecordKind
    state: Mapping[str, Sequence[Version]]
    others: Mapping[RecordKind, Mapping[str, Sequence[Version]]]

    def shop(self) -> Node:
        return self.shop_node

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:  # noqa: ARG002
        return self.state if kind == self.kind else self.others[kind]


def _of_kind(shop: RecordedShop, kind: RecordKind, document: str) -> Iterator[str]:
    late = datetime.max.replace(tzinfo=UTC)
    whole = {each: shop.versions(each, late) for each in KINDS}
    own = dict(whole[kind])
    for gid, history in own.items():
        for version in history:
            source = _OneState(shop.shop(), kind, ChainMap({gid: [version]}, own), whole)
            yield from _faults(document, source, version.at, {"ids": [gid], "fees": True}, shop.place_of(version.node))


def _of_shop(shop: RecordedShop, document: str) -> Iterator[str]:
    source = _OneState(shop.shop(), "orders", {}, {each: {} for each in KINDS})
    yield from _faults(document, source, datetime(2026, 1, 1, tzinfo=UTC), {}, shop.place_of(shop.shop()))


def _faults(document: str, source: _OneState, at: datetime, variables: dict[str, object], place: str) -> Iterator[str]:
    call = Call(Records(source, timedelta()).at(at), ShopifyOptions())
    known = documents.read(document)
    found = execute_sync(documents.schema(), known.tree, None, call, variable_values=variables)
    yield from (f"{place}: {_sentence(error)}" for error in found.errors or ())


def _sentence(error: GraphQLError) -> str:
    """Name the field by its path within the record, as it stands in the file."""
    inside = list(error.path or ())[2:] if error.path and error.path[0] == "nodes" else list(error.path or ())[1:]
    steps = [step for step in inside if step not in CONNECTION]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    if "non-nullable" in error.message:
        return f"{path or 'a field'} is missing or null, and the queries ask for it"
    return f"{path or 'a field'}: {error.message}"


def _by_id(listing: DocumentNode, field: RecordKind, name: str) -> str:
    """Return a document that asks of one record, by its id, what a listing asks of each of its nodes."""
    (operation,) = [one for one in listing.definitions if isinstance(one, OperationDefinitionNode)]
    fragments = [print_ast(one) for one in listing.definitions if one is not operation]
    nodes = _selection(_selection(operation.selection_set, field), "nodes")
    fees = ", $fees: Boolean!" if "$fees" in print_ast(listing) else ""
    asked = f"query ($ids: [ID!]!{fees}) {{ nodes(ids: $ids) {{ ... on {name} {print_ast(nodes)} }} }}"
    assert operation.operation is OperationType.QUERY
    return "\n".join([asked, *fragments])


def _selection(asked: SelectionSetNode, field: str) -> SelectionSetNode:
    (found,) = [one for one in asked.selections if isinstance(one, FieldNode) and one.name.value == field]
    assert found.selection_set is not None
    return found.selection_set
