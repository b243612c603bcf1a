"""The routes of the service as an ASGI app. This module only routes; each endpoint is in the module of its name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shopify_xero_pipeline.observability.json_names import with_former_names
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS
from shopify_xero_pipeline.service.hint_writer import HintWriter
from shopify_xero_pipeline.service.webhooks import WebhookEndpoint


@dataclass(frozen=True)
class Service:
    """The endpoints behind the routes.

    Attributes:
        health: returns the report.
        metrics: returns the text of the metrics; raises `EXPECTED_ERRORS`.
        webhooks: webhook endpoints by path.
        hint_writer: stores the hints of all webhooks.
        answer_turn: serialises reports, so that any number of clients occupies one thread.
    """

    health: Callable[[], dict[str, Any]]
    metrics: Callable[[], bytes]
    webhooks: dict[str, WebhookEndpoint]
    hint_writer: HintWriter
    answer_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> Starlette:
        """Return the ASGI app."""
        routes = [Route("/health", self._health), Route("/metrics", self._metrics)]
        routes += [Route(path, endpoint, methods=["POST"]) for path, endpoint in self.webhooks.items()]
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def _health(self, _: Request) -> Response:
        async with self.answer_turn:
            report = await asyncio.to_thread(self.health)
        return JSONResponse(with_former_names(report), 200 if report["healthy"] else 503)

    async def _metrics(self, _: Request) -> Response:
        try:
            async with self.answer_turn:
                text = await asyncio.to_thread(self.metrics)
        except EXPECTED_ERRORS as problem:
            return PlainTextResponse(f"# {problem}\n", 503)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self.hint_writer.close()
