"""One call's view of the shop: the moment it reads, whole records behind references, and what it searched.

graphql-core hands a `Call` to every resolver as its context, and an `Entry` as the value to resolve from. What single
fields mean is in `root.py` and `resolvers.py`.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.shopify.records import Moment, type_of
from shopify_xero_pipeline.sandbox.shopify.term_comparison import instant

_VISIBLE_WITHOUT_ALL_ORDERS = timedelta(days=60)
_SHOP_RECORDS = frozenset({"Order", "Customer", "Product", "ProductVariant"})


class Entry(NamedTuple):
    """What a field's subfields are resolved from.

    Attributes:
        node: A node, or a page of a connection.
        owner: The order, product or customer it stands in; empty where it stands in none.
    """

    node: Any
    owner: Node


class Call:
    """What the resolvers of one call share.

    Args:
        moment: The shop while the call runs.
        options: The shop's settings.

    Attributes:
        searches: What `extensions.search` may show, one entry a searched list.
    """

    def __init__(self, moment: Moment, options: ShopifyOptions) -> None:
        self.moment = moment
        self.options = options
        self.searches: list[Node] = []

    def by_id(self, gid: str) -> Entry | None:
        """Return a record asked for by its id, live; null when there is none or it may not be seen."""
        if type_of(gid) in _SHOP_RECORDS:
            node = self.moment.record(gid)
            return None if node is None or (type_of(gid) == "Order" and self.too_old(node)) else Entry(node, {})
        carried = self.moment.carried(gid)
        if carried is None or self.too_old(carried[0]):
            return None
        return Entry({**carried[1], "order": {"id": carried[0]["id"]}}, carried[0])

    def too_old(self, order: Node) -> bool:
        """Tell whether only read_all_orders would show an order (E5)."""
        if "read_all_orders" in self.options.scopes:
            return False
        created = order.get("createdAt") or order["processedAt"]
        return instant(created) < self.moment.now - _VISIBLE_WITHOUT_ALL_ORDERS

    def missing(self, node: Node, name: str) -> Any:
        """Look for a field a record's embedded copy lacks in the record itself."""
        gid = node.get("id")
        if not isinstance(gid, str) or type_of(gid) not in _SHOP_RECORDS:
            return None
        whole = self.moment.record(gid)
        return None if whole is None else whole.get(name)

    def whole(self, node: Any, owner: Node) -> Any:
        """Return the whole record where only its id stands; null if it is one of the shop's and no longer exists."""
        gid = node.get("id") if isinstance(node, dict) and len(node) <= 2 else None
        if not isinstance(gid, str) or (len(node) == 2 and "__typename" not in node):
            return node
        if type_of(gid) in _SHOP_RECORDS:
            return self.moment.record(gid)
        return (self.moment.within(owner, gid) if owner else None) or node
