"""Whether the Dagster daemon lives: without it no schedule and no sensor runs. The only part that knows Dagster.

Dagster itself calls a daemon dead after half an hour; a heartbeat comes every 30 seconds, so five minutes will do.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.service.health import HealthCheck, HealthStatus

HEARTBEAT_MAX_AGE = timedelta(minutes=5)
START_HINT = "Start `dagster-daemon run` (or `make up`), or look at its log."


def check_daemon(instance: dg.DagsterInstance, clock: Clock) -> HealthCheck:
    """Return how the daemon of an instance is looked at."""

    def look() -> HealthStatus:
        heard = {
            name: status.last_heartbeat and datetime.fromtimestamp(status.last_heartbeat.timestamp, UTC)
            for name, status in instance.get_daemon_statuses().items()
            if status.required
        }
        silent = [name for name, at in heard.items() if at is None or clock.now() - at > HEARTBEAT_MAX_AGE]
        times = [at for at in heard.values() if at is not None]
        if heard and not silent:
            return HealthStatus(True, "The Dagster daemon is alive.")
        if not times:
            return HealthStatus(False, f"The Dagster daemon has never run on this DAGSTER_HOME. {START_HINT}")
        names = ", ".join(sorted(name.lower().replace("_", " ") for name in silent))
        last = max((at for name in silent if (at := heard[name]) is not None), default=None)
        since = f"since {last:%d %b %H:%M} UTC" if last else "at all"
        return HealthStatus(False, f"The Dagster daemon has not been heard of {since} ({names}). {START_HINT}", last)

    return look
