"""How things stand, part by part, in words: what `/health` answers.

When each part is looked at again, and since when it is as it is, belong here; how a part is looked at is for
`checks.py` and `defs/daemon_health.py`. Whoever polls causes no calls: an answer is kept for a minute, that of an API
for ten.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS

CHECK_INTERVAL = timedelta(minutes=1)
API_CHECK_MAX_AGE = timedelta(minutes=10)
LONG_UNHEALTHY = timedelta(seconds=150)
CHECK_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class HealthStatus:
    """Whether a part is well, and in words how it is; `since`, if the part itself knows since when."""

    ok: bool
    message: str
    since: datetime | None = None


HealthCheck = Callable[[], HealthStatus]


class PolledCheck:
    """An API that is asked in a thread of its own, as it may take long, and at most every ten minutes.

    Args:
        look: asks.
        clock: the time.
        patience: real seconds for which a question that was just put is waited for.
    """

    def __init__(self, look: HealthCheck, clock: Clock, patience: float = CHECK_TIMEOUT_SECONDS) -> None:
        self._look = look
        self._clock = clock
        self._patience = patience
        self._answered = threading.Event()
        self._answered.set()
        self._asked_at: datetime | None = None
        self._began = 0.0
        self._last: HealthStatus | None = None

    def __call__(self) -> HealthStatus:
        """Return the last answer; while there is none for long, that there is none."""
        began = self._clock.elapsed()
        if self._answered.is_set() and (
            self._asked_at is None or began - self._began >= API_CHECK_MAX_AGE.total_seconds()
        ):
            self._asked_at, self._began = self._clock.now(), began
            self._answered.clear()
            threading.Thread(target=self._ask, name="health", daemon=True).start()
        self._answered.wait(self._patience)
        last, asked_at = self._last, self._asked_at
        assert asked_at is not None
        if last is not None and (self._answered.is_set() or began - self._began <= LONG_UNHEALTHY.total_seconds()):
            return last
        return HealthStatus(False, f"Asked at {asked_at:%H:%M:%S} UTC, it has not answered yet.", asked_at)

    def _ask(self) -> None:
        self._last = run_check(self._look)
        self._answered.set()


class Health:
    """All parts. `report` is for one thread at a time.

    Args:
        parts: how each is looked at, by its name in the report.
        clock: the time.
    """

    def __init__(self, parts: Mapping[str, HealthCheck], clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._since: dict[str, tuple[bool, datetime]] = {}
        self._report: tuple[float, dict[str, Any]] | None = None

    def report(self) -> dict[str, Any]:
        """Return `{"healthy": bool, "checked_at": instant, "parts": {name: {"ok", "message", "since"}}}`, instants in UTC.

        `since`: when a part became as it is, or when we first saw it so.
        """
        began, now = self._clock.elapsed(), self._clock.now()
        if self._report is None or began - self._report[0] >= CHECK_INTERVAL.total_seconds():
            parts = {name: self._told(name, run_check(look)) for name, look in self._parts.items()}
            healthy = all(part["ok"] for part in parts.values())
            self._report = began, {"healthy": healthy, "checked_at": now.isoformat(), "parts": parts}
        return self._report[1]

    def _told(self, name: str, verdict: HealthStatus) -> dict[str, Any]:
        known = self._since.get(name)
        if known is None or known[0] is not verdict.ok:
            known = self._since[name] = verdict.ok, self._clock.now()
        return {"ok": verdict.ok, "message": verdict.message, "since": (verdict.since or known[1]).isoformat()}


def run_check(look: HealthCheck) -> HealthStatus:
    """Look at a part; what is raised is how it is."""
    try:
        return look()
    except EXPECTED_ERRORS as problem:
        return HealthStatus(False, str(problem))
    except Exception as problem:
        events.EVENTS.exception("a part could not be looked at")
        return HealthStatus(False, f"It could not be looked at ({type(problem).__name__}): the log says more.")
