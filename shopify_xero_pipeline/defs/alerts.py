"""The sensor `alerts`, which sends notifications. It runs once a minute and calls neither Shopify nor Xero."""

from collections.abc import Sequence

import dagster as dg

from shopify_xero_pipeline.alerts import service
from shopify_xero_pipeline.alerts.channels import Channel
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state.database_errors import StoreBusyError

DESCRIPTION = "Notifies every configured channel once when an alert begins and once when it is resolved. Starts no run."


def alerts_sensor(*, automation: bool) -> dg.SensorDefinition:
    """Return the sensor, which is on by default if `automation` is."""
    status = dg.DefaultSensorStatus.RUNNING if automation else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(minimum_interval_seconds=60, default_status=status, description=DESCRIPTION)
    def alerts(
        context: dg.SensorEvaluationContext,
        sync_service: dg.ResourceParam[SyncService],
        channels: dg.ResourceParam[Sequence[Channel]],
    ) -> dg.SkipReason:
        """Notify each channel of new and of resolved alerts."""
        try:
            active_alerts, cursor = service.AlertService(sync_service, InstanceHistory(context.instance)).notify(
                channels, context.cursor
            )
        except StoreBusyError as busy:
            return dg.SkipReason(str(busy))
        context.update_cursor(cursor)
        keys = ", ".join(alert.key for alert in active_alerts) or "none"
        names = ", ".join(channel.name for channel in channels) or "none"
        return dg.SkipReason(f"active alerts: {keys}; channels: {names}")

    return alerts
