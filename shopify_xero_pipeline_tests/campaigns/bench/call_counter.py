"""A counter of the calls that a sandbox receives, which is independent of the counts of the clients."""

from collections import Counter

from shopify_xero_pipeline.sandbox.transport import ASGIApp, Receive, Scope, Send

WRITES = frozenset({"PUT", "POST", "DELETE"})


class CallCounter:
    """Wraps a sandbox's app and counts its calls; requests for a token count for Shopify only.

    Attributes:
        xero: calls to Xero's Accounting API by method.
        shopify: calls to Shopify by path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.xero: Counter[str] = Counter()
        self.shopify: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a call and pass it on."""
        path = scope.get("path", "")
        if path.startswith("/api.xro/"):
            self.xero[scope["method"]] += 1
        elif path.startswith("/admin/"):
            self.shopify[path] += 1
        await self._app(scope, receive, send)

    @property
    def writes(self) -> int:
        """Number of write calls to Xero."""
        return sum(count for method, count in self.xero.items() if method in WRITES)

    def reset(self) -> None:
        """Begin again at zero."""
        self.xero.clear()
        self.shopify.clear()
