"""Materialisations and check results by day, for loads and the reconciliation.

Dagster counts a check result for a day only if it targets that day's latest materialisation. `AssetCheckResult` cannot
name that target in a run of several days, so this module logs the evaluations itself, for one day as for a range
(docs/architecture.md, "Checks of a day").
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
    """The result of a check, with a description in plain text and metadata.

    The UI renders the description as Markdown in one place and as plain text in others, so it is escaped when it is
    logged.
    """

    passed: bool
    description: str
    metadata: Metadata


OutcomesByDay = Mapping[str, Mapping[date, CheckOutcome]]


def add_partition_metadata(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[date, Metadata], calls: Metadata
) -> None:
    """Add metadata to the materialisation of each day.

    Args:
        context: context of the step.
        key: the asset.
        metadata: metadata by day.
        calls: API calls of the step by metadata name, added to each day because the step makes them for all days.
    """
    for day, entries in metadata.items():
        context.add_asset_metadata({**entries, **calls}, asset_key=key, partition_key=day.isoformat())


def report_partitions(
    context: dg.AssetExecutionContext,
    checks: OutcomesByDay,
    metadata: Mapping[date, Metadata],
    calls: Mapping[str, int],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckEvaluation | dg.Output[None]]:
    """Materialise every day of the run, then log each check of each day against that materialisation.

    Args:
        context: context of the asset.
        checks: outcomes by check name, then by day. A failed check is an error that does not stop the run.
        metadata: metadata by day.
        calls: API calls of the step by metadata name; logged as text, because the UI plots numbers above the checks.

    Yields:
        The materialisation, the check evaluations, and one output for each check.
    """
    key = context.asset_key
    add_partition_metadata(context, key, metadata, {name: str(count) for name, count in calls.items()})
    yield dg.MaterializeResult(asset_key=key)
    keys = {day.isoformat() for day in metadata}
    ids = context.instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION, keys)
    for name, days in checks.items():
        for day, outcome in days.items():
            target = _build_target(ids[day.isoformat()], context.run.run_id, time.time())
            yield _build_evaluation(key, name, outcome, target, day.isoformat())
        yield dg.Output(None, output_name=dg.AssetCheckSpec(name, asset=key).get_python_identifier())


def log_evaluation(context: dg.AssetExecutionContext, key: dg.AssetKey, check: str, outcome: CheckOutcome) -> None:
    """Log an unpartitioned check of an asset against its latest materialisation.

    The check need not be among the step's checks. Dagster plans no such evaluation, so a run that is queued, or that
    fails before it, leaves the last result of the check unchanged.

    Args:
        context: context of the step.
        key: the asset.
        check: name of the check.
        outcome: its outcome.
    """
    newest = context.instance.fetch_materializations(key, limit=1).records
    target = _build_target(newest[0].storage_id, newest[0].run_id, newest[0].timestamp)
    context.log_event(_build_evaluation(key, check, outcome, target))


def _build_target(storage_id: int, run_id: str, timestamp: float) -> Any:
    """Return the reference to the materialisation that an evaluation targets.

    The class is private to Dagster. Its serialised form is not, because each later version of Dagster must read it.
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


def _build_evaluation(
    key: dg.AssetKey,
    check: str,
    outcome: CheckOutcome,
    target: Any,
    partition: str | None = None,
) -> dg.AssetCheckEvaluation:
    """Return a check's evaluation; a failed one is an error that does not stop the run."""
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=check,
        passed=outcome.passed,
        description=escape_markdown(outcome.description),
        metadata=dict(outcome.metadata),
        partition=partition,
        severity=dg.AssetCheckSeverity.ERROR,
        blocking=False,
        target_materialization_data=target,
    )
