"""How each part is looked at: both APIs, the state store, and writes whose outcome is not known.

Only looking belongs here; when it is done and how it is told is for `health.py`. The connections are made when they are
first needed, so that the service says what is wrong with them instead of not starting.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shopify_xero_pipeline.clock import CLOCK_OFFSET_WARNING, Clock, describe_offset
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, Connections
from shopify_xero_pipeline.service.health import HealthCheck, HealthStatus, PolledCheck
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.store_metrics import StoreMetrics

UNSETTLED_FOR = timedelta(minutes=15)
PROBE_KEY = "service.probe"
T = TypeVar("T")


class ServiceConnections:
    """The connections of a process with several threads, each made by one thread only."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._one = threading.Lock()

    def store(self) -> StateStore:
        """Return the state store; what it raises is in `connections.PROBLEMS`."""
        return self._made(lambda made: made.store)

    def check_shopify(self) -> HealthStatus:
        """Ask Shopify whether it lets us in."""
        self._made(lambda made: made.shopify_client)
        return HealthStatus(True, self._connections.check_shopify())

    def check_xero(self) -> HealthStatus:
        """Ask Xero whether it lets us in."""
        self._made(lambda made: made.xero_client)
        return HealthStatus(True, self._connections.check_xero())

    def _made(self, make: Callable[[Connections], T]) -> T:
        with self._one:
            return make(self._connections)


def health_checks(doors: ServiceConnections, clock: Clock) -> dict[str, HealthCheck]:
    """Return how every part but the daemon is looked at."""
    return {
        "shopify": PolledCheck(doors.check_shopify, clock),
        "xero": _Xero(doors, clock),
        "state_store": lambda: _store(doors),
        "unsettled_writes": lambda: _unsettled(doors.store().metrics(), clock),
        "clock": lambda: _clock(doors.store().metrics()),
    }


class _Xero:
    """Xero as asked by us, and as it answered loads in between, which cost us no call."""

    def __init__(self, doors: ServiceConnections, clock: Clock) -> None:
        self._doors = doors
        self._clock = clock
        self._asked = PolledCheck(doors.check_xero, clock)

    def __call__(self) -> HealthStatus:
        """Return how Xero is; it is not asked while the calls to it cannot be written down."""
        try:
            standing = self._doors.store().metrics().standing
        except EXPECTED_ERRORS:
            return HealthStatus(False, "Xero is not asked while the state store cannot be used.")
        asked, until = self._asked(), standing.denied_until
        if not asked.ok or not standing.denied or until is None or until <= self._clock.now():
            return asked
        return HealthStatus(
            False,
            f"Xero did not let a load in (status {standing.denied}): nothing is written before {until:%H:%M} UTC. "
            "Check XERO_TENANT_ID and the scopes, and connect it again if it was disconnected.",
            standing.denied_at,
        )


def _store(doors: ServiceConnections) -> HealthStatus:
    store = doors.store()
    store.put_value(PROBE_KEY, "")
    store.get_value(PROBE_KEY)
    return HealthStatus(True, f"The state store {store.name} is read and written.")


def _clock(figures: StoreMetrics) -> HealthStatus:
    """Say how far clocks are from Xero's. A wrong one is told by an alert; nothing is unwell because of it."""
    known = figures.standing.clocks_ahead
    if not known:
        return HealthStatus(True, "Xero has not been asked for its time yet.")
    worst = max(known, key=lambda host: abs(known[host]))
    if abs(known[worst]) <= CLOCK_OFFSET_WARNING:
        return HealthStatus(True, "The clock agrees with Xero's to a minute.")
    return HealthStatus(
        True, f"The clock of {worst} is {describe_offset(known[worst])} Xero's: set it by a time server."
    )


def _unsettled(figures: StoreMetrics, clock: Clock) -> HealthStatus:
    since = figures.unsettled_since
    if since is None:
        return HealthStatus(True, "The outcome of every write is known.")
    minutes = int((clock.now() - since).total_seconds() // 60)
    if clock.now() - since <= UNSETTLED_FOR:
        return HealthStatus(True, f"Writes are under way, the oldest for {minutes} minutes.", since)
    return HealthStatus(
        False,
        f"The outcome of a write is not known for {minutes} minutes. The next sync reads it back from Xero, and "
        "nothing is sent twice; if none runs, start one: `shopify-xero sync --day`, for today.",
        since,
    )
