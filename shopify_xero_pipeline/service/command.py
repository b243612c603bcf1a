"""`shopify-xero serve`: puts the service together from the settings and runs it until somebody ends it."""

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
"""A delivery that is sent again within this time counts once."""

HINT_PURGE_INTERVAL = timedelta(hours=1)
SHOPIFY, XERO = "/webhooks/shopify", "/webhooks/xero"


class HintStore:
    """Makes hints durable, and forgets old ones now and then."""

    def __init__(self, doors: ServiceConnections, clock: Clock) -> None:
        self._doors = doors
        self._clock = clock
        self._forgot_at: datetime | None = None

    def __call__(self, hints: Sequence[WebhookHint]) -> None:
        """Return when all are on the disk; what it raises is in `connections.PROBLEMS`."""
        kept, now = self._doors.store().hints, self._clock.now()
        kept.add(hints)
        if self._forgot_at is None or now - self._forgot_at >= HINT_PURGE_INTERVAL:
            kept.purge_before(now - HINT_RETENTION)
            self._forgot_at = now


def build(connections: Connections, settings: Settings, daemon: HealthCheck, clock: Clock, limits: Limits) -> Service:
    """Put a service together; nothing is connected yet.

    Args:
        connections: to both sides and the store; closed by the caller.
        settings: the webhooks' keys, and whose deliveries they are.
        daemon: looks at the Dagster daemon.
        clock: the time.
        limits: what strangers may send.
    """
    made = ServiceConnections(connections)
    intake, bodies = HintWriter(HintStore(made, clock), limits.storing), BodyBuffer(limits)
    senders: dict[str, tuple[WebhookProvider, str]] = {
        SHOPIFY: (Shopify(settings.shopify_shop), settings.shopify_webhook_secret),
        XERO: (Xero(settings.xero_tenant_id), settings.xero_webhook_key),
    }
    return Service(
        health=Health({**health_checks(made, clock), "dagster_daemon": daemon}, clock).report,
        metrics=partial(render_metrics, lambda: made.store().metrics(), clock),
        webhooks={
            path: WebhookEndpoint(sender, parse_keys(key), bodies, intake, clock)
            for path, (sender, key) in senders.items()
        },
        hint_writer=intake,
    )


def run(
    settings: Settings, daemon: HealthCheck, clock: Clock, host: str, port: int, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; see `build` and `server.serve`.

    Raises:
        SettingsError: credentials are missing, or the port cannot be taken.
    """
    connections, limits = Connections(settings, clock), Limits()
    try:
        connections.check_settings()
        service = build(connections, settings, daemon, clock, limits)
        server.serve(service.app(), host, port, limits, ready)
    finally:
        connections.close()
