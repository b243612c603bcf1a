"""A Shopify that answers what a test wrote down.

`Script` answers requests in order; `ShelfShop` answers the reader's documents from whole nodes on a shelf, page by
page, as the real one would. Neither knows GraphQL: the sandbox does that.
"""

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
TOKEN = "shpat_0123456789abcdef0123456789abcdef"
ALL_SCOPES = ("read_orders", "read_all_orders", "read_customers", "read_products", "read_payment_terms", "read_returns")

CONNECTIONS = frozenset({"lineItems", "agreements", "sales", "paymentSchedules", "variants"})

Answer = httpx.Response | Exception
Json = dict[str, Any]


class MiddleOfTheRoad(random.Random):
    """Jitter that can be reckoned with: always the middle of what is asked for."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class Script:
    """Answers requests with what was written down, in order, and remembers them."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


class RecordingClock(ManualClock):
    """A manual clock that remembers how long it slept."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


def client_of(
    handler: Callable[[httpx.Request], httpx.Response],
    clock: ManualClock | None = None,
    credentials: StaticToken | ClientCredentials | None = None,
) -> ShopifyClient:
    return ShopifyClient(
        "sandbox.myshopify.com",
        credentials or StaticToken(TOKEN),
        clock=clock or RecordingClock(),
        transport=httpx.MockTransport(handler),
        rng=MiddleOfTheRoad(),
    )


def answered(data: Any, *, cost: int = 10, available: float = 2000, **more: Any) -> httpx.Response:
    """A good answer, as Shopify writes it."""
    body = {"data": data, "extensions": {"cost": cost_block(cost, cost, available)}, **more}
    return httpx.Response(200, json=body, headers={"X-Shopify-API-Version": "2026-10", "X-Request-Id": "req-1"})


def refused(*errors: Any, requested: int = 10, available: float = 2000, data: Any = None) -> httpx.Response:
    """An answer with status 200 and errors."""
    body = {"errors": list(errors), "extensions": {"cost": cost_block(requested, None, available)}}
    if data is not None:
        body["data"] = data
    return httpx.Response(200, json=body, headers={"X-Shopify-API-Version": "2026-10", "X-Request-Id": "req-2"})


def error(code: str, message: str = "said so", **extensions: Any) -> Json:
    return {"message": message, "extensions": {"code": code, **extensions}}


def cost_block(requested: int, actual: int | None, available: float) -> Json:
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": 100}
    return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}


class ShelfShop:
    """Answers the reader's documents from whole nodes; rows of every connection come in pages of the size asked for."""

    def __init__(self, scopes: tuple[str, ...] = ALL_SCOPES) -> None:
        self.scopes = scopes
        self.orders: list[Json] = []
        self.customers: list[Json] = []
        self.products: list[Json] = []
        self.counted: dict[str, int] = {}
        self.asked: list[tuple[str, Json]] = []
        self.before: Callable[[str, Json], httpx.Response | None] = lambda operation, variables: None
        self.nested = 2
        self._answers: dict[str, Callable[[Json], Json]] = {
            "Shop": self._shop,
            "Orders": partial(self._list, "orders"),
            "ChangedOrders": partial(self._list, "orders"),
            "Customers": partial(self._list, "customers"),
            "Products": partial(self._list, "products"),
            "DaysOfOrders": partial(self._by_id, "orders"),
            "OrdersById": partial(self._by_id, "orders"),
            "ProductsById": partial(self._by_id, "products"),
            "MoreLineItems": partial(self._more_of_order, "lineItems"),
            "MoreAgreements": partial(self._more_of_order, "agreements"),
            "MoreSales": self._more_sales,
            "MoreRefundTransactions": self._more_of_refund,
            "MorePaymentSchedules": self._more_schedules,
            "MoreVariants": self._more_variants,
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        operation = re.findall(r"query (\w+)", body["query"])[0]
        variables = body["variables"]
        self.asked.append((operation, variables))
        early = self.before(operation, variables)
        return early or answered(self._answers[operation](variables))

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.asked]

    def _shop(self, _: Json) -> Json:
        shop = {
            "id": "gid://shopify/Shop/1",
            "name": "Sandbox",
            "ianaTimezone": "Pacific/Auckland",
            "currencyCode": "NZD",
        }
        return {
            "shop": shop,
            "currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in self.scopes]},
        }

    def _list(self, root: str, variables: Json) -> Json:
        rows = getattr(self, root)
        page = self._paged(rows, variables["first"], variables["after"])
        return {
            root: {**page, "nodes": [self._first_pages(node) for node in page["nodes"]]},
            f"{root}Count": {"count": self.counted.get(root, len(rows)), "precision": "EXACT"},
        }

    def _by_id(self, root: str, variables: Json) -> Json:
        shelf = {node["id"]: node for node in getattr(self, root)}
        return {"nodes": [self._first_pages(shelf[i]) if i in shelf else None for i in variables["ids"]]}

    def _order(self, variables: Json) -> Json | None:
        return next((node for node in self.orders if node["id"] == variables["id"]), None)

    def _more_of_order(self, name: str, variables: Json) -> Json:
        order = self._order(variables)
        if order is None:
            return {"order": None}
        page = self._paged(order[name], variables["first"], variables["after"], edges=name == "agreements")
        if name == "agreements":
            page["edges"] = [{**edge, "node": self._first_pages(edge["node"])} for edge in page["edges"]]
        return {"order": {"updatedAt": order["updatedAt"], name: page}}

    def _more_sales(self, variables: Json) -> Json:
        order = self._order(variables)
        assert order is not None
        at = 0 if variables["predecessor"] is None else int(variables["predecessor"])
        agreement = order["agreements"][at]
        sales = self._paged(agreement["sales"], variables["first"], variables["after"])
        return {
            "order": {
                "updatedAt": order["updatedAt"],
                "agreements": {"nodes": [{"id": agreement["id"], "sales": sales}]},
            }
        }

    def _more_of_refund(self, variables: Json) -> Json:
        for order in self.orders:
            for refund in order["refunds"]:
                if refund["id"] == variables["id"]:
                    page = self._paged(refund["transactions"], variables["first"], variables["after"])
                    return {"refund": {"order": {"updatedAt": order["updatedAt"]}, "transactions": page}}
        return {"refund": None}

    def _more_schedules(self, variables: Json) -> Json:
        order = self._order(variables)
        assert order is not None
        terms = order["paymentTerms"]
        page = terms and self._paged(terms["paymentSchedules"], variables["first"], variables["after"])
        return {"order": {"updatedAt": order["updatedAt"], "paymentTerms": page and {"paymentSchedules": page}}}

    def _more_variants(self, variables: Json) -> Json:
        product = next(node for node in self.products if node["id"] == variables["id"])
        page = self._paged(product["variants"], variables["first"], variables["after"])
        return {"product": {"updatedAt": product["updatedAt"], "variants": page}}

    def _first_pages(self, node: Any) -> Any:
        """Cut every connection of a whole node to its first page."""
        if isinstance(node, list):
            return [self._first_pages(row) for row in node]
        if not isinstance(node, dict):
            return node
        paged = CONNECTIONS | ({"transactions"} if "/Refund/" in node.get("id", "") else set())
        return {
            key: self._paged(self._first_pages(inner), self.nested, None, edges=key == "agreements")
            if key in paged
            else self._first_pages(inner)
            for key, inner in node.items()
        }

    def _paged(self, rows: list[Json], first: int, after: str | None, *, edges: bool = False) -> Json:
        start = int(after or 0)
        some = rows[start : start + first]
        page_info = {"hasNextPage": start + first < len(rows), "endCursor": str(start + len(some))}
        if edges:
            listed = [{"cursor": str(start + at + 1), "node": row} for at, row in enumerate(some)]
            return {"edges": listed, "pageInfo": page_info}
        return {"nodes": list(some), "pageInfo": page_info}
