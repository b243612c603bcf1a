"""Health checks of both APIs, the state store, the clocks and unsettled writes.

This module only checks; `health.py` decides when. Connections are opened on first use, so that the service starts and
reports what is wrong with them.
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
    """The connections of a process with several threads; a lock makes each connection open once."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._lock = threading.Lock()

    def store(self) -> StateStore:
        """Return the state store; raises `EXPECTED_ERRORS`."""
        return self._open(lambda connections: connections.store)

    def check_shopify(self) -> HealthStatus:
        """Check the access to Shopify with one request."""
        self._open(lambda connections: connections.shopify_client)
        return HealthStatus(True, self._connections.check_shopify())

    def check_xero(self) -> HealthStatus:
        """Check the access to Xero with one request."""
        self._open(lambda connections: connections.xero_client)
        return HealthStatus(True, self._connections.check_xero())

    def _open(self, select: Callable[[Connections], T]) -> T:
        with self._lock:
            return select(self._connections)


def health_checks(connections: ServiceConnections, clock: Clock) -> dict[str, HealthCheck]:
    """Return the check of each part except the daemon, by its name in the report."""
    polled_xero = PolledCheck(connections.check_xero, clock)
    return {
        "shopify": PolledCheck(connections.check_shopify, clock),
        "xero": lambda: _check_xero(connections, polled_xero, clock),
        "state_store": lambda: _check_store(connections),
        "unsettled_writes": lambda: _check_unsettled_writes(connections.store().metrics(), clock),
        "clock": lambda: _check_clock(connections.store().metrics()),
    }


def _check_xero(connections: ServiceConnections, check: HealthCheck, clock: Clock) -> HealthStatus:
    """Return the status by own requests and by the responses to loads, which cost no additional call.

    Without the state store, which counts the calls, no request is sent.
    """
    try:
        standing = connections.store().metrics().standing
    except EXPECTED_ERRORS:
        return HealthStatus(False, "Xero is not checked while the state store is unavailable.")
    status, until = check(), standing.denied_until
    if not status.ok or not standing.denied or until is None or until <= clock.now():
        return status
    return HealthStatus(
        False,
        f"Xero denied a load (status {standing.denied}): nothing is written before {until:%H:%M} UTC. "
        "Check XERO_TENANT_ID and the scopes, and connect the app again if it was disconnected.",
        standing.denied_at,
    )


def _check_store(connections: ServiceConnections) -> HealthStatus:
    store = connections.store()
    store.put_value(PROBE_KEY, "")
    store.get_value(PROBE_KEY)
    return HealthStatus(True, f"The state store {store.name} is readable and writable.")


def _check_clock(metrics: StoreMetrics) -> HealthStatus:
    """Return the largest offset from Xero's clock; it never makes the service unhealthy, as an alert reports it."""
    offsets = metrics.standing.clocks_ahead
    if not offsets:
        return HealthStatus(True, "No response of Xero has stated its time yet.")
    worst = max(offsets, key=lambda host: abs(offsets[host]))
    if abs(offsets[worst]) <= CLOCK_OFFSET_WARNING:
        return HealthStatus(True, "The clock agrees with Xero's to within a minute.")
    return HealthStatus(
        True, f"The clock of {worst} is {describe_offset(offsets[worst])} Xero's: set it with a time server."
    )


def _check_unsettled_writes(metrics: StoreMetrics, clock: Clock) -> HealthStatus:
    since = metrics.unsettled_since
    if since is None:
        return HealthStatus(True, "The outcome of every write is known.")
    minutes = int((clock.now() - since).total_seconds() // 60)
    if clock.now() - since <= UNSETTLED_FOR:
        return HealthStatus(True, f"Writes are in progress, the oldest for {minutes} minutes.", since)
    return HealthStatus(
        False,
        f"The outcome of a write has been unknown for {minutes} minutes. The next sync reads it back from Xero; "
        "nothing is written twice. If no sync runs, start one for today: `shopify-xero sync --day`.",
        since,
    )
