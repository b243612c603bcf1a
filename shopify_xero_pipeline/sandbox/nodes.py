"""What the sandbox's Shopify side is fed with: records as they stood from an instant on.

A source of trading (generated or recorded) speaks only these two types. Nothing here knows GraphQL, HTTP or how trading
comes about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

Node: TypeAlias = dict[str, Any]
"""One record in the Admin GraphQL API's own shape: camelCase keys, gids, money as `{"amount": "12.5", ...}` texts."""

RecordKind: TypeAlias = Literal["orders", "customers", "products"]


@dataclass(frozen=True, slots=True)
class Version:
    """A record's whole state from an instant on.

    Attributes:
        at: Aware UTC instant from which the state holds (until the next version's).
        node: The record with its connections whole, each as `{"nodes": [...]}`, `{"edges": [{"node": ...}]}` or a plain
            list. Never changed after it was handed out. An empty node means that the record is gone from then on, as a
            merged customer's old id (docs/contracts/shopify.md E22).
    """

    at: datetime
    node: Node


class ShopSource(Protocol):
    """Where a sandbox shop's records come from."""

    def shop(self) -> Node:
        """The Shop node: `ianaTimezone`, `currencyCode`, `myshopifyDomain` and what else is known."""
        ...

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Every version with `at <= until` of every record of a kind.

        Args:
            kind: Which list of the shop.
            until: Aware instant, usually now.

        Returns:
            Versions by gid (`gid://shopify/Order/1001`), each in time order. A later call with a later `until` answers
            with the same versions and more; the same objects may be handed out again.
        """
        ...
