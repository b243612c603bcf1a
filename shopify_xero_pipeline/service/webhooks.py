"""The doors for webhooks: each delivery is refused, acknowledged and ignored, or kept and acknowledged; in this order.

Cheap checks come first: nothing is read of a body whose headers are wrong, nothing is parsed or kept of one whose
signature is wrong. An answer says no more than its status; a refused request ends its connection, so that the rest of
its body is nobody's concern.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.service import signatures
from shopify_xero_pipeline.service.body_reader import BodyBuffer, RefusedRequestError, check_headers
from shopify_xero_pipeline.service.hint_writer import HintWriter
from shopify_xero_pipeline.service.webhook_providers import WebhookProvider
from shopify_xero_pipeline.state.webhook_hints import WebhookHint


@dataclass(frozen=True)
class WebhookEndpoint:
    """Takes in one sender's deliveries: an ASGI app of one path.

    Attributes:
        sender: reads them.
        keys: with which they may be signed; without any the door is shut.
        bodies: reads bodies.
        intake: keeps hints.
        clock: says when they came.
    """

    provider: WebhookProvider
    keys: Sequence[bytes]
    bodies: BodyBuffer
    hint_writer: HintWriter
    clock: Clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        try:
            await self._take(Request(scope, receive))
            answer = Response(status_code=200)
        except RefusedRequestError as refusal:
            said = {"route": scope["path"], "status": refusal.status, "reason": str(refusal)}
            events.log_event("delivery_refused", level=logging.DEBUG, **said)
            answer = Response(status_code=refusal.status, headers={"connection": "close"})
        await answer(scope, receive, send)

    async def _take(self, request: Request) -> None:
        hints = await self._read(request)
        if hints:
            await self.hint_writer.take(hints)

    async def _read(self, request: Request) -> list[WebhookHint]:
        """Return what a delivery says; its body is let go with this."""
        if not self.keys:
            raise RefusedRequestError(404, "no key is set for this door")
        claimed = signatures.claimed_signature(request.headers, self.provider.signature)
        check_headers(request.headers, self.bodies.limits.body)
        self.provider.check_headers(request.headers)
        body = await self.bodies.read(request.stream())
        signatures.verify_signature(self.keys, body, claimed)
        return self.provider.hints(request.headers, body, self.clock.now())
