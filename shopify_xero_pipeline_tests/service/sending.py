"""What senders of webhooks send: deliveries as both sides sign them, and a service to send them to."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from shopify_xero_pipeline.clock import Clock, ManualClock
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.service.app import Service
from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.service.command import SHOPIFY, XERO, build
from shopify_xero_pipeline.service.health import HealthStatus
from shopify_xero_pipeline.service.server import build_server
from shopify_xero_pipeline.service.signatures import signature
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.webhook_hints import WebhookHints

NOW = datetime(2026, 11, 19, 10, tzinfo=UTC)
SHOP, SECRET, KEY, TENANT = "goods.myshopify.com", "shop-secret", "webhook-key", "7c0f5e0e-0000-4000-8000-000000000001"
ENVIRON = {
    "SHOPIFY_SHOP": SHOP,
    "SHOPIFY_CLIENT_ID": "shop-id",
    "SHOPIFY_CLIENT_SECRET": SECRET,
    "XERO_CLIENT_ID": "xero-id",
    "XERO_CLIENT_SECRET": "xero-secret",
    "XERO_TENANT_ID": TENANT,
    "XERO_WEBHOOK_KEY": KEY,
}


@dataclass(frozen=True)
class Delivery:
    path: str
    headers: dict[str, str]
    body: bytes

    def bearing(self, **headers: str | None) -> "Delivery":
        """The same with other headers; None leaves one out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {**self.headers, **named}
        return Delivery(self.path, {name: value for name, value in merged.items() if value is not None}, self.body)


def from_shopify(topic: str, content: Any, name: str = "1", *, at: datetime = NOW, secret: str = SECRET) -> Delivery:
    """A delivery of Shopify's; `name` makes its ids."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {
        "content-type": "application/json",
        "x-shopify-topic": topic,
        "x-shopify-shop-domain": SHOP,
        "x-shopify-webhook-id": f"b54557e4-bdd9-4b37-8a5f-{name:0>12}",
        "x-shopify-event-id": f"98880550-7158-44d4-b7cd-{name:0>12}",
        "x-shopify-triggered-at": f"{at:%Y-%m-%dT%H:%M:%S}.877041743Z",
        "x-shopify-hmac-sha256": signature(secret.encode(), body).decode(),
    }
    return Delivery(SHOPIFY, headers, body)


def event(number: int, category: str = "INVOICE", at: datetime = NOW, **other: str) -> dict[str, str]:
    resource = f"717f2bfc-c6d4-41fd-b238-{number:012}"
    given = {
        "resourceUrl": f"https://api.xero.com/api.xro/2.0/Invoices/{resource}",
        "resourceId": resource,
        "tenantId": TENANT,
        "tenantType": "ORGANISATION",
        "eventCategory": category,
        "eventType": "UPDATE",
        "eventDateUtc": f"{at:%Y-%m-%dT%H:%M:%S}.123",
    }
    return {**given, **other}


def from_xero(*events: dict[str, str], key: str = KEY) -> Delivery:
    content = {
        "events": list(events), "firstEventSequence": 1, "lastEventSequence": len(events), "entropy": "S0m3r4nd0mt3xt"
    }  # fmt: skip
    body = json.dumps(content).encode()
    headers = {"content-type": "application/json", "x-xero-signature": signature(key.encode(), body).decode()}
    return Delivery(XERO, headers, body)


@dataclass
class House:
    """A service on a store of its own, asked in process."""

    service: Service
    connections: Connections
    clock: Clock

    def __post_init__(self) -> None:
        self.app = self.service.app()
        self.client = httpx.Client(transport=InProcessTransport(self.app), base_url="http://service")

    @property
    def hints(self) -> WebhookHints:
        return self.connections.store.hints

    def send(self, delivery: Delivery) -> int:
        answer = self.client.post(delivery.path, headers=delivery.headers, content=delivery.body)
        assert answer.content == b""
        assert "set-cookie" not in answer.headers
        return answer.status_code

    def topics(self) -> list[tuple[str, str, str]]:
        return [(one.topic, one.record, one.record_id) for one in self.hints.open()]


@contextmanager
def house(url: str, clock: Clock | None = None, limits: Limits | None = None, **environ: str) -> Iterator[House]:
    clock = clock or ManualClock(NOW)
    settings = Settings.from_environment({**ENVIRON, "STATE_URL": url, **environ}, dotenv=None)
    connections = Connections(settings, clock)
    service = build(connections, settings, lambda: HealthStatus(True, "alive"), clock, limits or Limits(storing=30))
    made = House(service, connections, clock)
    try:
        yield made
    finally:
        made.client.close()
        asyncio.run(service.hint_writer.close())
        connections.close()


@contextmanager
def serving(app: ASGIApp, limits: Limits) -> Iterator[str]:
    """Serve in a thread on a free local port while the block runs; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = build_server(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join()


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'state.db'}"
