"""The header `Date` of every answer, by the sandbox's own clock, as a server states its time (RFC 9110 §6.6.1).

Clients compare what a server stamped with that server's time, so it must be the clock that stamps the records too.
"""

from datetime import UTC
from email.utils import format_datetime

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send


class Dated:
    """An ASGI app whose answers bear the time; one that bears a `Date` already keeps it.

    Args:
        app: what answers.
        clock: the server's time.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the header."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"date" for name, _ in headers):
                    now = format_datetime(self._clock.now().astimezone(UTC), usegmt=True)
                    message = {**message, "headers": [*headers, (b"date", now.encode())]}
            await send(message)

        await self._app(scope, receive, dated)
