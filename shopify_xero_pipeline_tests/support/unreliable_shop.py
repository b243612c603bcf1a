"""A Shopify whose lists cannot be trusted: its index lags, pages come short, and questions by id fail for a while.

It stands in front of the sandbox's Shopify and changes only what lists and `nodes` answer; the records stay.
"""

import json
from typing import Any

from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send

TROUBLE = {"errors": [{"message": "Internal error.", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}


class BlurredShop:
    """An ASGI app before another one.

    Args:
        app: the sandbox.

    Attributes:
        unlisted: ids of orders that the index does not hold at present: no list gives them and no count counts them.
        short: how many further pages of orders come without their last order, which is counted all the same.
        trouble: how many further questions by id end in an error, beside half of the records.
        asked: ids that were asked for, question by question.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.unlisted: set[str] = set()
        self.short = 0
        self.trouble = 0
        self.asked: list[list[str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and its answer back as this shop gives it."""
        if not scope["path"].endswith("/graphql.json"):
            await self._app(scope, receive, send)
            return
        request, parts = await receive(), list[Message]()

        async def again() -> Message:
            return request

        async def hold(message: Message) -> None:
            parts.append(message)

        await self._app(scope, again, hold)
        start = next(one for one in parts if one["type"] == "http.response.start")
        body = b"".join(one.get("body", b"") for one in parts if one["type"] == "http.response.body")
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
        listed = data["orders"]["nodes"]
        shown = [node for node in listed if node["id"].rpartition("/")[2] not in self.unlisted]
        data["ordersCount"]["count"] -= len(listed) - len(shown)
        if self.short and shown:
            self.short -= 1
            shown = shown[:-1]
        data["orders"]["nodes"] = shown
