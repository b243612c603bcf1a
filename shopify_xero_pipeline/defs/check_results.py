"""How a load or a reconciliation reports: each day of a run gets its own metadata and its own check results.

A check result counts for a day only if it names that day's latest materialisation, which `AssetCheckResult` cannot say
in a run of several days; this is the one recipe that is right for one day and for a range (docs/architecture.md,
"Checks of a day").
"""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import dagster as dg

from shopify_xero_pipeline.observability.escaping import escape_markdown

Metadata = Mapping[str, Any]


class CheckOutcome(NamedTuple):
    """What a check found: whether it passed, a sentence about it in plain text, and what to show beside it.

    The UI renders the sentence as Markdown in one place and as it is in others; it is escaped where it is logged.
    """

    passed: bool
    description: str
    metadata: Metadata


OutcomesByDay = Mapping[str, Mapping[date, CheckOutcome]]


def add_partition_metadata(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[date, Metadata], calls: Metadata
) -> None:
    """Give each day of the run its own metadata, and each the calls that the step made for all of them.

    Args:
        context: the step's.
        key: the asset that gets the metadata.
        metadata: by day.
        calls: by the name under which they are displayed.
    """
    for day, entries in metadata.items():
        context.add_asset_metadata({**entries, **calls}, asset_key=key, partition_key=day.isoformat())


def report_partitions(
    context: dg.AssetExecutionContext,
    checks: OutcomesByDay,
    metadata: Mapping[date, Metadata],
    calls: Mapping[str, int],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Materialise every day of the run, then log each check for each day against that materialisation.

    Args:
        context: the asset's.
        checks: by name, then by day. What fails is an error that does not stop the run.
        metadata: by day.
        calls: of the step; shown as text, because the UI would draw numbers above the checks.
    """
    key = context.asset_key
    add_partition_metadata(context, key, metadata, {name: str(count) for name, count in calls.items()})
    yield dg.MaterializeResult(asset_key=key)
    keys = {day.isoformat() for day in metadata}
    ids = context.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION, keys)
    for name, days in checks.items():
        for day, found in days.items():
            target = _target(ids[day.isoformat()], context.run.run_id, time.time())
            yield _evaluation(key, name, found, target, day.isoformat())
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=key).get_python_identifier())


def log_evaluation(context: dg.AssetExecutionContext, key: dg.AssetKey, check: str, found: CheckOutcome) -> None:
    """Log a check of an asset as a whole, against its latest materialisation; it need not be among the step's checks.

    Dagster plans nothing for such an evaluation. So a run that fails before it, or waits in the queue, leaves the last
    result of the check as it is.
    """
    newest = context.instance.fetch_materializations(key, limit=1).records
    target = _target(newest[0].storage_id, newest[0].run_id, newest[0].timestamp)
    context.log_event(_evaluation(key, check, found, target))


def _target(storage_id: int, run_id: str, timestamp: float) -> Any:
    """Return the materialisation that a check result is about.

    The class is private to Dagster. The form in which Dagster stores it is not: each later version has to read it.
    """
    return dg.deserialize_value(
        json.dumps(
            {
                "__class__": "AssetCheckEvaluationTargetMaterializationData",
                "storage_id": storage_id,
                "run_id": run_id,
                "timestamp": timestamp,
            }
        )
    )


def _evaluation(
    key: dg.AssetKey,
    check: str,
    found: CheckOutcome,
    target: Any,
    partition: str | None = None,
) -> dg.AssetCheckEvaluation:
    """Return a check's result; what fails is an error that does not stop the run."""
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=check,
        passed=found.passed,
        description=escape_markdown(found.description),
        metadata=dict(found.metadata),
        partition=partition,
        severity=dg.AssetCheckSeverity.ERROR,
        blocking=False,
        target_materialization_data=target,
    )
