"""The health check of the Dagster daemon, without which no schedule and no sensor runs.

It is in `defs/`, not in `service/`, because it reads the Dagster instance.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.service.health import HealthCheck, HealthStatus

HEARTBEAT_MAX_AGE = timedelta(minutes=5)  # the daemon sends one every 30 seconds; Dagster's own limit is 30 minutes
START_HINT = "Start `dagster-daemon run` (or `make up`), or look at its log."


def check_daemon(instance: dg.DagsterInstance, clock: Clock) -> HealthCheck:
    """Return the health check of an instance's daemon, by the given clock."""

    def run_check() -> HealthStatus:
        heartbeats = {
            name: status.last_heartbeat and datetime.fromtimestamp(status.last_heartbeat.timestamp, UTC)
            for name, status in instance.get_daemon_statuses().items()
            if status.required
        }
        silent = [name for name, at in heartbeats.items() if at is None or clock.now() - at > HEARTBEAT_MAX_AGE]
        times = [at for at in heartbeats.values() if at is not None]
        if heartbeats and not silent:
            return HealthStatus(True, "The Dagster daemon is alive.")
        if not times:
            return HealthStatus(False, f"The Dagster daemon has never run on this DAGSTER_HOME. {START_HINT}")
        names = ", ".join(sorted(name.lower().replace("_", " ") for name in silent))
        last = max((at for name in silent if (at := heartbeats[name]) is not None), default=None)
        since = f" since {last:%d %b %H:%M} UTC" if last else ""
        return HealthStatus(False, f"The Dagster daemon has sent no heartbeat{since} ({names}). {START_HINT}", last)

    return run_check
