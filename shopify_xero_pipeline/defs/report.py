"""How a load or a reconciliation reports: each day of a run gets its own metadata and its own check results.

A check result counts for a day only if it names that day's latest materialisation, which `AssetCheckResult` cannot say
in a run of several days; this is the one recipe that is right for one day and for a range (docs/architecture.md,
"Checks of a day").
"""

import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import dagster as dg

# The only private import of the project: dagster is pinned exactly and test_report.py guards it.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

Metadata = Mapping[str, Any]


class Verdict(NamedTuple):
    """What a check found of a day: whether it passed, a sentence about it, and what to show beside it."""

    passed: bool
    says: str
    shown: Metadata


DayChecks = Mapping[str, Mapping[date, Verdict]]


def describe(context: dg.AssetExecutionContext, metadata: Mapping[date, Metadata], calls: Mapping[str, int]) -> None:
    """Give each day of the run its own metadata, and each the calls that the step made for all of them."""
    for day, entries in metadata.items():
        shown = {**entries, **calls}
        context.add_asset_metadata(shown, asset_key=context.asset_key, partition_key=day.isoformat())


def report(
    context: dg.AssetExecutionContext, checks: DayChecks, metadata: Mapping[date, Metadata], calls: Mapping[str, int]
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Materialise every day of the run, then log each check for each day against that materialisation.

    Args:
        context: the asset's.
        checks: by name, then by day. What fails is an error that does not stop the run.
        metadata: by day.
        calls: of the step.
    """
    key = context.asset_key
    describe(context, metadata, calls)
    yield dg.MaterializeResult(asset_key=key)
    keys = {day.isoformat() for day in metadata}
    ids = context.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION, keys)
    for name, days in checks.items():
        for day, found in days.items():
            yield dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=name,
                passed=found.passed,
                description=found.says,
                metadata=dict(found.shown),
                partition=day.isoformat(),
                severity=dg.AssetCheckSeverity.ERROR,
                blocking=False,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=ids[day.isoformat()], run_id=context.run.run_id, timestamp=time.time()
                ),
            )
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=key).get_python_identifier())
