"""Webhook endpoints: a delivery is refused, acknowledged and ignored, or stored and acknowledged.

Cheap checks come first: a body with wrong headers is not read, a body with a wrong signature is neither parsed nor
stored. A response has only a status. A refusal closes the connection, so that the rest of the body is discarded.
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
    """The endpoint of one provider: an ASGI app of one path.

    Attributes:
        provider: parses deliveries.
        keys: the accepted signing keys; without keys the endpoint answers 404.
        bodies: reads bodies.
        hint_writer: stores hints.
        clock: the clock of the process.
    """

    provider: WebhookProvider
    keys: Sequence[bytes]
    bodies: BodyBuffer
    hint_writer: HintWriter
    clock: Clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        try:
            hints = await self._read_hints(Request(scope, receive))
            if hints:
                await self.hint_writer.submit(hints)
            response = Response(status_code=200)
        except RefusedRequestError as refusal:
            fields = {"route": scope["path"], "status": refusal.status, "reason": str(refusal)}
            events.log_event("delivery_refused", level=logging.DEBUG, **fields)
            response = Response(status_code=refusal.status, headers={"connection": "close"})
        await response(scope, receive, send)

    async def _read_hints(self, request: Request) -> list[WebhookHint]:
        """Return the hints in a delivery; the body is released before they are stored."""
        if not self.keys:
            raise RefusedRequestError(404, "no key is set for this webhook")
        claimed = signatures.claimed_signature(request.headers, self.provider.signature)
        check_headers(request.headers, self.bodies.limits.body)
        self.provider.check_headers(request.headers)
        body = await self.bodies.read(request.stream())
        signatures.verify_signature(self.keys, body, claimed)
        return self.provider.hints(request.headers, body, self.clock.now())
