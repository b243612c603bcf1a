"""Model histories as a shop that the sandbox can trade, a `ShopSource` over many orders."""

from collections.abc import Sequence
from datetime import datetime

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline_tests.campaigns.model.facts import ZONE
from shopify_xero_pipeline_tests.campaigns.model.histories import History
from shopify_xero_pipeline_tests.campaigns.model.nodes import PEOPLE, customer_node, product_node
from shopify_xero_pipeline_tests.support.handmade_shop import OPENED, HandmadeShop


class ModelShop(HandmadeShop):
    """A shop with the orders of histories (a `ShopSource`).

    Customers and the one product exist from 1 September 2026 on, an order from its first moment on.

    Args:
        histories: orders of one currency, each with its own number.

    Raises:
        ValueError: the histories have several currencies, or two have the same number.
    """

    def __init__(self, histories: Sequence[History]) -> None:
        super().__init__()
        currencies = sorted({history.currency for history in histories})
        if len(currencies) > 1:
            raise ValueError(f"a shop has one currency, these histories have {', '.join(currencies)}")
        if len({history.number for history in histories}) < len(histories):
            raise ValueError("two histories have the same order number")
        self.histories = tuple(histories)
        self._currency = currencies[0] if currencies else "NZD"
        for number in range(1, len(PEOPLE) + 1):
            self.put("customers", customer_node(number))
        self.put("products", product_node())
        for history in histories:
            for moment in history.moments:
                self.put("orders", moment.node, moment.at)

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
