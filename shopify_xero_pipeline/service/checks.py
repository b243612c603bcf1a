"""How each part is looked at: both APIs, the state store, and writes whose outcome is not known.

Only looking belongs here; when it is done and how it is told is for `health.py`. The connections are made when they are
first needed, so that the service says what is wrong with them instead of not starting.
"""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shopify_xero_pipeline.clock import CLOCK_WARNED, Clock, offset_words
from shopify_xero_pipeline.pipeline.connections import PROBLEMS, Connections
from shopify_xero_pipeline.service.health import Asked, Look, Verdict
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.store_metrics import Figures

UNSETTLED_FOR = timedelta(minutes=15)
LOOKED = "service looked"
T = TypeVar("T")


class Doors:
    """The connections of a process with several threads, each made by one thread only."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._one = threading.Lock()

    def store(self) -> StateStore:
        """Return the state store; what it raises is in `connections.PROBLEMS`."""
        return self._made(lambda made: made.store)

    def ask_shopify(self) -> Verdict:
        """Ask Shopify whether it lets us in."""
        self._made(lambda made: made.shopify_client)
        return Verdict(True, self._connections.ask_shopify())

    def ask_xero(self) -> Verdict:
        """Ask Xero whether it lets us in."""
        self._made(lambda made: made.xero_client)
        return Verdict(True, self._connections.ask_xero())

    def _made(self, make: Callable[[Connections], T]) -> T:
        with self._one:
            return make(self._connections)


def parts(doors: Doors, clock: Clock) -> dict[str, Look]:
    """Return how every part but the daemon is looked at."""
    return {
        "shopify": Asked(doors.ask_shopify, clock),
        "xero": _Xero(doors, clock),
        "state_store": lambda: _store(doors),
        "unsettled_writes": lambda: _unsettled(doors.store().figures(), clock),
        "clock": lambda: _clock(doors.store().figures()),
    }


class _Xero:
    """Xero as asked by us, and as it answered loads in between, which cost us no call."""

    def __init__(self, doors: Doors, clock: Clock) -> None:
        self._doors = doors
        self._clock = clock
        self._asked = Asked(doors.ask_xero, clock)

    def __call__(self) -> Verdict:
        """Return how Xero is; it is not asked while the calls to it cannot be written down."""
        try:
            standing = self._doors.store().figures().standing
        except PROBLEMS:
            return Verdict(False, "Xero is not asked while the state store cannot be used.")
        asked, until = self._asked(), standing.denied_until
        if not asked.ok or not standing.denied or until is None or until <= self._clock.now():
            return asked
        return Verdict(
            False,
            f"Xero did not let a load in (status {standing.denied}): nothing is written before {until:%H:%M} UTC. "
            "Check XERO_TENANT_ID and the scopes, and connect it again if it was disconnected.",
            standing.denied_at,
        )


def _store(doors: Doors) -> Verdict:
    store = doors.store()
    store.remember(LOOKED, "")
    store.recall(LOOKED)
    return Verdict(True, f"The state store {store.name} is read and written.")


def _clock(figures: Figures) -> Verdict:
    """Say how far clocks are from Xero's. A wrong one is told by an alert; nothing is unwell because of it."""
    known = figures.standing.clocks_ahead
    if not known:
        return Verdict(True, "Xero has not been asked for its time yet.")
    worst = max(known, key=lambda host: abs(known[host]))
    if abs(known[worst]) <= CLOCK_WARNED:
        return Verdict(True, "The clock agrees with Xero's to a minute.")
    return Verdict(True, f"The clock of {worst} is {offset_words(known[worst])} Xero's: set it by a time server.")


def _unsettled(figures: Figures, clock: Clock) -> Verdict:
    since = figures.unsettled_since
    if since is None:
        return Verdict(True, "The outcome of every write is known.")
    minutes = int((clock.now() - since).total_seconds() // 60)
    if clock.now() - since <= UNSETTLED_FOR:
        return Verdict(True, f"Writes are under way, the oldest for {minutes} minutes.", since)
    return Verdict(
        False,
        f"The outcome of a write is not known for {minutes} minutes. The next sync reads it back from Xero, and "
        "nothing is sent twice; if none runs, start one: `shopify-xero sync --day`, for today.",
        since,
    )
