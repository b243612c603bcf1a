"""The sensor `alerts`: once a minute it looks after the whole and tells people. It calls neither Shopify nor Xero."""

from collections.abc import Sequence

import dagster as dg

from shopify_xero_pipeline.alerts import service
from shopify_xero_pipeline.alerts.channels import Channel
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.state.database_errors import StoreBusyError

DESCRIPTION = "Tells people, once per cause and once when it is over, by every channel that is set. It starts no run."


def alerts_sensor(*, running: bool) -> dg.SensorDefinition:
    """Return the sensor; it runs only if asked to."""
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(minimum_interval_seconds=60, default_status=status, description=DESCRIPTION)
    def alerts(
        context: dg.SensorEvaluationContext,
        sync_service: dg.ResourceParam[SyncService],
        channels: dg.ResourceParam[Sequence[Channel]],
    ) -> dg.SkipReason:
        """Tell each channel once of what calls for a person, and once that it is over."""
        try:
            found, told = service.AlertService(sync_service, InstanceHistory(context.instance)).notify(
                channels, context.cursor
            )
        except StoreBusyError as busy:
            return dg.SkipReason(str(busy))
        context.update_cursor(told)
        keys = ", ".join(cause.key for cause in found) or "nothing"
        return dg.SkipReason(
            f"calling for a person: {keys}; channels: {', '.join(one.name for one in channels) or 'none'}"
        )

    return alerts
