"""A Shopify with unreliable lists: its index lags, pages are short, and queries by id fail for a while.

It wraps the sandbox's Shopify and changes only the responses of lists and `nodes`; the records stay.
"""

import json
from typing import Any

from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send

TROUBLE = {"errors": [{"message": "Internal error.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}


class BlurredShop:
    """An ASGI app that wraps the sandbox.

    Args:
        app: the sandbox.

    Attributes:
        unlisted: ids of orders missing from the index: lists omit them and counts do not count them.
        short: number of further pages of orders without their last order, which is still counted.
        trouble: number of further queries by id that fail with half of the records.
        asked: the queried ids, query by query.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.unlisted: set[str] = set()
        self.short = 0
        self.trouble = 0
        self.asked: list[list[str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a call, and change its response."""
        if not scope["path"].endswith("/graphql.json"):
            await self._app(scope, receive, send)
            return
        request, parts = await receive(), list[Message]()

        async def replay() -> Message:
            return request

        async def hold(message: Message) -> None:
            parts.append(message)

        await self._app(scope, replay, hold)
        start = next(part for part in parts if part["type"] == "http.response.start")
        body = b"".join(part.get("body", b"") for part in parts if part["type"] == "http.response.body")
        changed = json.dumps(self._changed(json.loads(request["body"]), json.loads(body))).encode()
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", str(len(changed)).encode())]})
        await send({"type": "http.response.body", "body": changed})

    def _changed(self, request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        data = answer.get("data") or {}
        if "orders" in data:
            self._blur(data)
        if "DaysOfOrders" in request["query"]:
            self.asked.append([gid.rpartition("/")[2] for gid in request["variables"]["ids"]])
            if self.trouble:
                self.trouble -= 1
                nodes = data["nodes"][: len(data["nodes"]) // 2]
                return {**TROUBLE, "data": {"nodes": [*nodes, None]}, "extensions": answer["extensions"]}
        return answer

    def _blur(self, data: dict[str, Any]) -> None:
        nodes = data["orders"]["nodes"]
        listed = [node for node in nodes if node["id"].rpartition("/")[2] not in self.unlisted]
        data["ordersCount"]["count"] -= len(nodes) - len(listed)
        if self.short and listed:
            self.short -= 1
            listed = listed[:-1]
        data["orders"]["nodes"] = listed
