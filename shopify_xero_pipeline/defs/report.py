"""How a load or a reconciliation reports: each day of a run gets its own metadata and its own check results.

A check result counts for a day only if it names that day's latest materialisation, which `AssetCheckResult` cannot say
in a run of several days; this is the one recipe that is right for one day and for a range (docs/architecture.md,
"Checks of a day").
"""

import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

# The only private import of the project: dagster is pinned exactly and test_report.py guards it.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

Metadata = Mapping[str, Any]
DayChecks = Mapping[str, Mapping[date, tuple[bool, Metadata]]]


def describe(context: dg.AssetExecutionContext, metadata: Mapping[date, Metadata]) -> None:
    """Give each day of the run its own metadata."""
    for day, entries in metadata.items():
        context.add_asset_metadata(dict(entries), asset_key=context.asset_key, partition_key=day.isoformat())


def report(
    context: dg.AssetExecutionContext, checks: DayChecks, metadata: Mapping[date, Metadata]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Materialise every day of the run, then log each check for each day against that materialisation.

    Args:
        context: the asset's.
        checks: by name, then by day: whether it passed, and what to show. Results are errors that do not stop the run.
        metadata: by day.
    """
    key = context.asset_key
    describe(context, metadata)
    yield dg.MaterializeResult(asset_key=key)
    keys = {day.isoformat() for day in metadata}
    ids = context.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION, keys)
    for name, days in checks.items():
        for day, (passed, shown) in days.items():
            yield dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=name,
                passed=passed,
                metadata=dict(shown),
                partition=day.isoformat(),
                severity=dg.AssetCheckSeverity.ERROR,
                blocking=False,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=ids[day.isoformat()], run_id=context.run.run_id, timestamp=time.time()
                ),
            )
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=key).get_python_identifier())
