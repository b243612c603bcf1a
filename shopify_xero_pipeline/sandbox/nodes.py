"""Records of the sandbox's shop, each as versions that hold from an instant on.

A source of trading (generated or recorded) provides only these two types. This module knows nothing of GraphQL, of HTTP
or of how trading is generated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

Node: TypeAlias = dict[str, Any]
"""One record in the shape of the Admin GraphQL API: camelCase keys, gids, money as `{"amount": "12.5", ...}` texts."""

RecordKind: TypeAlias = Literal["orders", "customers", "products"]


@dataclass(frozen=True, slots=True)
class Version:
    """The complete state of a record from an instant on.

    Attributes:
        at: aware UTC instant from which the state holds, until the next version's.
        node: the record with complete connections, each as `{"nodes": [...]}`, `{"edges": [{"node": ...}]}` or a plain
            list. It never changes after it was returned. An empty node means that the record no longer exists, such as
            a merged customer's old id (docs/contracts/shopify.md E22).
    """

    at: datetime
    node: Node


class ShopSource(Protocol):
    """The source of a sandbox shop's records."""

    def shop(self) -> Node:
        """Return the Shop node with `ianaTimezone`, `currencyCode`, `myshopifyDomain` and further fields."""
        ...

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return every version with `at <= until` of every record of a kind.

        Args:
            kind: the list of the shop.
            until: aware instant, usually now.

        Returns:
            Versions by gid (`gid://shopify/Order/1001`), each in order of time. A later call with a later `until`
            returns the same versions and more; it may return the same objects.
        """
        ...
