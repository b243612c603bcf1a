"""A shop whose records a test puts in by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version

OPENED = datetime(2026, 9, 1, tzinfo=UTC)


class HandmadeShop:
    """A shop with hand-made records (a `ShopSource`)."""

    def __init__(self) -> None:
        self.records: dict[RecordKind, dict[str, list[Version]]] = {"orders": {}, "customers": {}, "products": {}}

    def shop(self) -> Node:
        """Return the Shop node."""
        return {
            "id": "gid://shopify/Shop/1",
            "name": "Sandbox",
            "myshopifyDomain": "sandbox.myshopify.com",
            "currencyCode": "NZD",
            "ianaTimezone": "Pacific/Auckland",
        }

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return all versions up to an instant."""
        histories = {
            gid: [version for version in history if version.at <= until] for gid, history in self.records[kind].items()
        }
        return {gid: history for gid, history in histories.items() if history}

    def put(self, kind: RecordKind, node: Node, at: datetime = OPENED) -> Node:
        """Add a version of a record from an instant on, and return it."""
        self.records[kind].setdefault(node["id"], []).append(Version(at.astimezone(UTC), node))
        return node

    def remove(self, kind: RecordKind, gid: str, at: datetime) -> None:
        """Remove a record from an instant on."""
        self.records[kind][gid].append(Version(at.astimezone(UTC), {}))

    def current(self, kind: RecordKind, gid: str) -> Node:
        """Return the last version of a record."""
        return self.records[kind][gid][-1].node
