"""Model histories as a shop that the sandbox can trade, a `ShopSource` over many orders."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version
from shopify_xero_pipeline_tests.campaigns.model.facts import ZONE
from shopify_xero_pipeline_tests.campaigns.model.histories import History
from shopify_xero_pipeline_tests.campaigns.model.nodes import PEOPLE, customer_node, product_node

OPENED = datetime(2026, 9, 1, tzinfo=UTC)


class ModelShop:
    """A shop with the orders of histories (a `ShopSource`).

    Customers and the one product exist from 1 September 2026 on, an order from its first moment on.

    Args:
        histories: orders of one currency, each with its own number.

    Raises:
        ValueError: the histories have several currencies, or two have the same number.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        currencies = sorted({history.currency for history in histories})
        if len(currencies) > 1:
            raise ValueError(f"a shop has one currency, these histories have {', '.join(currencies)}")
        if len({history.number for history in histories}) < len(histories):
            raise ValueError("two histories have the same order number")
        self.histories = tuple(histories)
        self._currency = currencies[0] if currencies else "NZD"
        people = [customer_node(number) for number in range(1, len(PEOPLE) + 1)]
        self._records: dict[RecordKind, dict[str, tuple[Version, ...]]] = {
            "orders": {history.last.node["id"]: _versions(history) for history in histories},
            "customers": {person["id"]: (Version(OPENED, person),) for person in people},
            "products": {product_node()["id"]: (Version(OPENED, product_node()),)},
        }

    @property
    def ends(self) -> datetime:
        """The instant of the last event; nothing changes after it."""
        return max((history.last.at for history in self.histories), default=OPENED)

    def shop(self) -> Node:
        """Return the Shop node."""
        return {
            "id": "gid://shopify/Shop/7",
            "name": "Model Goods",
            "email": "hello@model.example",
            "myshopifyDomain": "model.myshopify.com",
            "url": "https://model.myshopify.com",
            "ianaTimezone": ZONE.key,
            "currencyCode": self._currency,
            "taxesIncluded": True,
        }

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return all versions with `at <= until`, by gid; see `ShopSource`."""
        upto = {
            gid: tuple(version for version in versions if version.at <= until)
            for gid, versions in self._records[kind].items()
        }
        return {gid: versions for gid, versions in upto.items() if versions}


def _versions(history: History) -> tuple[Version, ...]:
    return tuple(Version(moment.at, moment.node) for moment in history.moments)
