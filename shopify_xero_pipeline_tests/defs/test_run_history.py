"""Every failed run of the period is found, however many runs ended since."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from shopify_xero_pipeline.defs import run_history
from shopify_xero_pipeline.defs.run_history import InstanceHistory


@pytest.mark.parametrize("successes", [0, 1, 2, 3, 4])
def test_a_failure_is_found_behind_more_runs_than_one_query_reads(
    monkeypatch: pytest.MonkeyPatch, successes: int
) -> None:
    monkeypatch.setattr(run_history, "RUNS_PER_QUERY", 2)
    with dg.DagsterInstance.ephemeral() as instance:
        failed = instance.add_run(dg.DagsterRun("plan", status=dg.DagsterRunStatus.FAILURE))
        for _ in range(successes):
            instance.add_run(dg.DagsterRun("mapping_checks", status=dg.DagsterRunStatus.SUCCESS))

        found = InstanceHistory(instance).failed_runs(datetime.now(UTC) - timedelta(days=1))

    assert [run.run_id for run in found] == [failed.run_id]
