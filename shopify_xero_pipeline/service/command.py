"""`shopify-xero serve`: puts the service together from the settings and runs it until somebody ends it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.service import server
from shopify_xero_pipeline.service.app import Service
from shopify_xero_pipeline.service.body_reader import Bodies, Limits
from shopify_xero_pipeline.service.checks import Doors, parts
from shopify_xero_pipeline.service.health import Health, Look
from shopify_xero_pipeline.service.hint_writer import Intake
from shopify_xero_pipeline.service.metrics import exposition
from shopify_xero_pipeline.service.signatures import keys_of
from shopify_xero_pipeline.service.webhook_providers import Sender, Shopify, Xero
from shopify_xero_pipeline.service.webhooks import Door
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.webhook_hints import Hint

REMEMBERED_FOR = timedelta(days=7)
"""A delivery that is sent again within this time counts once."""

FORGET_EVERY = timedelta(hours=1)
SHOPIFY, XERO = "/webhooks/shopify", "/webhooks/xero"


class Keeper:
    """Makes hints durable, and forgets old ones now and then."""

    def __init__(self, doors: Doors, clock: Clock) -> None:
        self._doors = doors
        self._clock = clock
        self._forgot_at: datetime | None = None

    def __call__(self, hints: Sequence[Hint]) -> None:
        """Return when all are on the disk; what it raises is in `connections.PROBLEMS`."""
        kept, now = self._doors.store().hints, self._clock.now()
        kept.take_in(hints)
        if self._forgot_at is None or now - self._forgot_at >= FORGET_EVERY:
            kept.forget(now - REMEMBERED_FOR)
            self._forgot_at = now


def build(connections: Connections, settings: Settings, daemon: Look, clock: Clock, limits: Limits) -> Service:
    """Put a service together; nothing is connected yet.

    Args:
        connections: to both sides and the store; closed by the caller.
        settings: the webhooks' keys, and whose deliveries they are.
        daemon: looks at the Dagster daemon.
        clock: the time.
        limits: what strangers may send.
    """
    made = Doors(connections)
    intake, bodies = Intake(Keeper(made, clock), limits.storing), Bodies(limits)
    senders: dict[str, tuple[Sender, str]] = {
        SHOPIFY: (Shopify(settings.shopify_shop), settings.shopify_webhook_secret),
        XERO: (Xero(settings.xero_tenant_id), settings.xero_webhook_key),
    }
    return Service(
        health=Health({**parts(made, clock), "dagster_daemon": daemon}, clock).report,
        metrics=partial(exposition, lambda: made.store().figures(), clock),
        doors={path: Door(sender, keys_of(key), bodies, intake, clock) for path, (sender, key) in senders.items()},
        intake=intake,
    )


def run(settings: Settings, daemon: Look, clock: Clock, host: str, port: int, ready: Callable[[str], None]) -> None:
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
