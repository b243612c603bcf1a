"""What is looked after between the schedules: runs whose process died. It calls neither Shopify nor Xero."""

import dagster as dg

from shopify_xero_pipeline.defs.liveness import end_dead_runs


@dg.sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End the runs whose process is gone, so that the next one gets the pool; a run that can be retried then is."""
    ended = end_dead_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "every run under way has its process")
