"""The health report of `/health`, part by part, in words.

This module caches the results and records since when each part has its status; the checks are in `checks.py` and
`defs/daemon_health.py`. Polling causes no calls: the report is cached for one minute, the result of an API for ten.
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
MAX_PENDING_AGE = timedelta(seconds=150)  # of an unanswered request while the previous result still counts
CHECK_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class HealthStatus:
    """The status of a part: whether it is healthy, a sentence, and since when, if the part itself knows."""

    ok: bool
    message: str
    since: datetime | None = None


HealthCheck = Callable[[], HealthStatus]


class PolledCheck:
    """A check of an API that runs in its own thread, because it may take long, and at most every ten minutes.

    Args:
        check: sends the request.
        clock: the clock of the process.
        timeout_seconds: how long a call waits for the result of a running check, in real seconds.
    """

    def __init__(self, check: HealthCheck, clock: Clock, timeout_seconds: float = CHECK_TIMEOUT_SECONDS) -> None:
        self._check = check
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._is_done = threading.Event()
        self._is_done.set()
        self._started_at: datetime | None = None
        self._started = 0.0  # in `Clock.elapsed`
        self._last: HealthStatus | None = None

    def __call__(self) -> HealthStatus:
        """Return the last result, or a failure if a check has been running for too long."""
        now = self._clock.elapsed()
        if self._is_done.is_set() and (
            self._started_at is None or now - self._started >= API_CHECK_MAX_AGE.total_seconds()
        ):
            self._started_at, self._started = self._clock.now(), now
            self._is_done.clear()
            threading.Thread(target=self._run, name="health", daemon=True).start()
        self._is_done.wait(self._timeout_seconds)
        last, started_at = self._last, self._started_at
        assert started_at is not None
        if last is not None and (self._is_done.is_set() or now - self._started <= MAX_PENDING_AGE.total_seconds()):
            return last
        return HealthStatus(False, f"The request of {started_at:%H:%M:%S} UTC has no response yet.", started_at)

    def _run(self) -> None:
        self._last = run_check(self._check)
        self._is_done.set()


class Health:
    """The health of all parts; only one thread at a time may call `report`.

    Args:
        checks: the check of each part, by its name in the report.
        clock: the clock of the process.
    """

    def __init__(self, checks: Mapping[str, HealthCheck], clock: Clock) -> None:
        self._checks = checks
        self._clock = clock
        self._since: dict[str, tuple[bool, datetime]] = {}
        self._report: tuple[float, dict[str, Any]] | None = None

    def report(self) -> dict[str, Any]:
        """Return the report, cached for one minute.

        Returns:
            `{"healthy": bool, "checked_at": instant, "parts": {name: {"ok", "message", "since"}}}`; instants in UTC.
            `since` is when the part changed to its status, or when this process first recorded the status.
        """
        began, now = self._clock.elapsed(), self._clock.now()
        if self._report is None or began - self._report[0] >= CHECK_INTERVAL.total_seconds():
            parts = {name: self._report_part(name, run_check(check)) for name, check in self._checks.items()}
            healthy = all(part["ok"] for part in parts.values())
            self._report = began, {"healthy": healthy, "checked_at": now.isoformat(), "parts": parts}
        return self._report[1]

    def _report_part(self, name: str, status: HealthStatus) -> dict[str, Any]:
        known = self._since.get(name)
        if known is None or known[0] is not status.ok:
            known = self._since[name] = status.ok, self._clock.now()
        return {"ok": status.ok, "message": status.message, "since": (status.since or known[1]).isoformat()}


def run_check(check: HealthCheck) -> HealthStatus:
    """Run a check; an exception becomes an unhealthy status."""
    try:
        return check()
    except EXPECTED_ERRORS as problem:
        return HealthStatus(False, str(problem))
    except Exception as problem:
        events.EVENTS.exception("a health check failed")
        return HealthStatus(False, f"The check failed ({type(problem).__name__}); see the log for details.")
