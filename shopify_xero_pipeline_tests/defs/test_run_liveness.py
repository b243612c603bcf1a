"""Runs whose process is gone are ended; all others are left alone."""

from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.defs.run_liveness import LOCK_FOLDER, end_dead_runs, hold_run_lock
from shopify_xero_pipeline.defs.sensors import dead_runs

RUN = "7f038e69-06f4-48e0-b9b2-e01f4d2bf4e4"


def under_way(instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED) -> None:
    instance.add_run(dg.DagsterRun(job_name="sync", run_id=RUN, status=status))


def lock_of_a_dead_process(instance: dg.DagsterInstance) -> Path:
    """What is left of a lock when the kernel has freed it."""
    file = Path(instance.root_directory) / LOCK_FOLDER / RUN
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def status(instance: dg.DagsterInstance) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(RUN)
    assert run is not None
    return run.status


def test_a_run_whose_process_lives_is_left_alone_and_leaves_no_lock_behind(instance: dg.DagsterInstance) -> None:
    under_way(instance)
    with hold_run_lock(instance, RUN):
        assert end_dead_runs(instance) == []
        assert status(instance) is dg.DagsterRunStatus.STARTED
    assert list((Path(instance.root_directory) / LOCK_FOLDER).iterdir()) == []


def test_a_run_whose_process_died_is_failed_and_its_lock_cleared_away(instance: dg.DagsterInstance) -> None:
    under_way(instance)
    file = lock_of_a_dead_process(instance)
    assert end_dead_runs(instance) == [RUN]
    assert status(instance) is dg.DagsterRunStatus.FAILURE
    assert not file.exists()
    assert end_dead_runs(instance) == []


def test_a_run_that_died_while_it_was_being_cancelled_is_cancelled(instance: dg.DagsterInstance) -> None:
    under_way(instance, dg.DagsterRunStatus.CANCELING)
    lock_of_a_dead_process(instance)
    assert end_dead_runs(instance) == [RUN]
    assert status(instance) is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("of", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
def test_a_run_without_a_lock_may_be_another_hosts(instance: dg.DagsterInstance, of: dg.DagsterRunStatus) -> None:
    under_way(instance, of)
    assert end_dead_runs(instance) == []
    assert status(instance) is of


def test_the_sensor_says_what_it_ended(instance: dg.DagsterInstance) -> None:
    context = dg.build_sensor_context(instance)
    assert dead_runs(context) == dg.SkipReason("every active run has its process")
    under_way(instance)
    lock_of_a_dead_process(instance)
    assert dead_runs(context) == dg.SkipReason(f"ended {RUN}")
