"""The `Date` header of each response, taken from the sandbox's clock (RFC 9110 §6.6.1).

Clients compare a record's timestamps with the server's time, so both must come from one clock.
"""

from datetime import UTC
from email.utils import format_datetime

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send


class DateHeader:
    """ASGI middleware that adds a `Date` header to each response without one.

    Args:
        app: the wrapped app.
        clock: the server's time.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the call and add the header to its response."""

        async def send_with_date(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"date" for name, _ in headers):
                    now = format_datetime(self._clock.now().astimezone(UTC), usegmt=True)
                    message = {**message, "headers": [*headers, (b"date", now.encode())]}
            await send(message)

        await self._app(scope, receive, send_with_date)
