"""The state of one GraphQL call: its moment, whole records behind references, and its searches.

graphql-core passes a `Call` to each resolver as its context, and an `Entry` as the value to resolve from. The meaning
of single fields is in `root.py` and `resolvers.py`.
"""

from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.shopify.records import Moment, type_of
from shopify_xero_pipeline.sandbox.shopify.term_comparison import instant

_VISIBLE_WITHOUT_ALL_ORDERS = timedelta(days=60)  # without the scope read_all_orders
_SHOP_RECORDS = frozenset({"Order", "Customer", "Product", "ProductVariant"})


class BulkAccess(Protocol):
    """The app's bulk operations during one call; nodes have the fields of the type BulkOperation."""

    def run(self, query: str, *, is_grouped: bool) -> Node:
        """Create an operation and return the payload of the mutation."""
        ...

    def cancel(self, gid: str) -> Node:
        """Cancel an operation and return the payload of the mutation."""
        ...

    def node(self, gid: str) -> Node | None:
        """Return an operation by its id; None if it does not exist."""
        ...

    def nodes(self) -> list[Node]:
        """Return all operations, the newest first."""
        ...


class Entry(NamedTuple):
    """The value from which a field's subfields are resolved.

    Attributes:
        node: a node, or a page of a connection.
        owner: the order, product or customer that contains it; empty for none.
    """

    node: Any
    owner: Node


class Call:
    """The shared state of one call's resolvers.

    Args:
        moment: the shop at the call's instant.
        options: the shop's options.
        bulk: the app's bulk operations; None within a bulk query.

    Attributes:
        searches: the entries of `extensions.search`, one a searched list.
    """

    def __init__(self, moment: Moment, options: ShopifyOptions, bulk: BulkAccess | None = None) -> None:
        self.moment = moment
        self.options = options
        self.bulk = bulk
        self.searches: list[Node] = []

    def by_id(self, gid: str) -> Entry | None:
        """Return a record by its id; None if it does not exist or is not visible."""
        if type_of(gid) == "BulkOperation":
            operation = self.bulk.node(gid) if self.bulk is not None else None
            return None if operation is None else Entry(operation, {})
        if type_of(gid) in _SHOP_RECORDS:
            node = self.moment.record(gid)
            return None if node is None or (type_of(gid) == "Order" and self.too_old(node)) else Entry(node, {})
        carried = self.moment.carried(gid)
        if carried is None or self.too_old(carried[0]):
            return None
        return Entry({**carried[1], "order": {"id": carried[0]["id"]}}, carried[0])

    def too_old(self, order: Node) -> bool:
        """Return whether an order is visible with read_all_orders only (E5)."""
        if "read_all_orders" in self.options.scopes:
            return False
        created = order.get("createdAt") or order["processedAt"]
        return instant(created) < self.moment.now - _VISIBLE_WITHOUT_ALL_ORDERS

    def missing(self, node: Node, name: str) -> Any:
        """Return a field from the record itself if its embedded copy lacks it."""
        gid = node.get("id")
        if not isinstance(gid, str) or type_of(gid) not in _SHOP_RECORDS:
            return None
        whole = self.moment.record(gid)
        return None if whole is None else whole.get(name)

    def whole(self, node: Any, owner: Node) -> Any:
        """Return the whole record of a reference by id; None for a record of the shop that no longer exists."""
        gid = node.get("id") if isinstance(node, dict) and len(node) <= 2 else None
        if not isinstance(gid, str) or (len(node) == 2 and "__typename" not in node):
            return node
        if type_of(gid) in _SHOP_RECORDS:
            return self.moment.record(gid)
        return (self.moment.within(owner, gid) if owner else None) or node
