"""The service behind `shopify-xero serve`, built from the settings and run until a signal ends it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.service import server
from shopify_xero_pipeline.service.app import Service
from shopify_xero_pipeline.service.body_reader import BodyBuffer, Limits
from shopify_xero_pipeline.service.checks import ServiceConnections, health_checks
from shopify_xero_pipeline.service.health import Health, HealthCheck
from shopify_xero_pipeline.service.hint_writer import HintWriter
from shopify_xero_pipeline.service.metrics import render_metrics
from shopify_xero_pipeline.service.signatures import parse_keys
from shopify_xero_pipeline.service.webhook_providers import Shopify, WebhookProvider, Xero
from shopify_xero_pipeline.service.webhooks import WebhookEndpoint
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

HINT_RETENTION = timedelta(days=7)
"""A repeated delivery within this time counts once."""

HINT_PURGE_INTERVAL = timedelta(hours=1)
SHOPIFY, XERO = "/webhooks/shopify", "/webhooks/xero"


class HintStore:
    """A durable store of hints that also deletes old ones, at most once per `HINT_PURGE_INTERVAL`."""

    def __init__(self, connections: ServiceConnections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._purged_at: datetime | None = None

    def __call__(self, hints: Sequence[WebhookHint]) -> None:
        """Store hints; they are on disk when this returns. Raises `EXPECTED_ERRORS`."""
        stored_hints, now = self._connections.store().hints, self._clock.now()
        stored_hints.add(hints)
        if self._purged_at is None or now - self._purged_at >= HINT_PURGE_INTERVAL:
            stored_hints.purge_before(now - HINT_RETENTION)
            self._purged_at = now


def build(connections: Connections, settings: Settings, daemon: HealthCheck, clock: Clock, limits: Limits) -> Service:
    """Build a service; no connection is opened yet.

    Args:
        connections: to both sides and the store; the caller closes them.
        settings: the webhooks' keys, the shop and the organisation.
        daemon: checks the Dagster daemon.
        clock: the clock of the process.
        limits: limits on requests and connections.
    """
    service_connections = ServiceConnections(connections)
    hint_writer = HintWriter(HintStore(service_connections, clock), limits.storing)
    bodies = BodyBuffer(limits)
    providers: dict[str, tuple[WebhookProvider, str]] = {
        SHOPIFY: (Shopify(settings.shopify_shop), settings.shopify_webhook_secret),
        XERO: (Xero(settings.xero_tenant_id), settings.xero_webhook_key),
    }
    return Service(
        health=Health({**health_checks(service_connections, clock), "dagster_daemon": daemon}, clock).report,
        metrics=partial(render_metrics, lambda: service_connections.store().metrics(), clock),
        webhooks={
            path: WebhookEndpoint(provider, parse_keys(key), bodies, hint_writer, clock)
            for path, (provider, key) in providers.items()
        },
        hint_writer=hint_writer,
    )


def run(
    settings: Settings, daemon: HealthCheck, clock: Clock, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: credentials of both sides and the webhooks' keys.
        daemon: checks the Dagster daemon.
        clock: the clock of the process.
        host: the address to listen on.
        port: the port to listen on; 0 selects a free one.
        ready: called with the URL once the port is open.

    Raises:
        SettingsError: credentials are missing, or the port cannot be opened.
    """
    connections, limits = Connections(settings, clock), Limits()
    try:
        connections.check_settings()
        service = build(connections, settings, daemon, clock, limits)
        server.serve(service.app(), host, port, limits, ready)
    finally:
        connections.close()
