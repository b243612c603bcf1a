"""What Dagster's daemon does with a sensor, in one process: evaluate it, keep its cursor, never start a run key twice.

The clock is the stage's; runs are started at once, or stay queued until somebody says so.
"""

import uuid
from collections.abc import Mapping
from contextlib import nullcontext

import dagster as dg
import pytest

from shopify_xero_pipeline.cli.job_runner import QUIET_RUN_CONFIG
from shopify_xero_pipeline_tests.support.stage import Stage


class Daemon:
    """One sensor of the code location over a stage, and the runs it asked for."""

    def __init__(self, stage: Stage, instance: dg.DagsterInstance, sensor: str) -> None:
        self._stage, self._instance, self._name = stage, instance, sensor
        self._repository = stage.runner(instance).definitions.get_repository_def()
        self.cursor: str | None = None
        self.said = ""
        self.keys: list[str] = []

    def tick(self) -> list[dg.RunRequest]:
        """Evaluate the sensor and return what it asks for, without what was asked for; if it fails, nothing moves."""
        context = dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            repository_def=self._repository,
            resources={"sync_service": self._stage.sync_service},
        )
        found = self._repository.get_sensor_def(self._name).evaluate_tick(context)
        self.cursor, self.said = found.cursor, found.skip_message or ""
        news = [one for one in found.run_requests or [] if one.run_key not in self.keys]
        self.keys += [str(one.run_key) for one in news]
        return news

    def ranges(self) -> list[tuple[str, str]]:
        """Evaluate the sensor and return the ranges it asks for."""
        return [ends(one.tags) for one in self.tick()]

    def run(self, request: dg.RunRequest) -> bool:
        """Do what was asked for and tell whether it succeeded."""
        return start(self._stage, self._instance, request.tags)

    def leave(
        self, request: dg.RunRequest, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTING
    ) -> dg.DagsterRun:
        """Leave what was asked for where it has not begun, or in another state."""
        return self._instance.add_run(
            dg.DagsterRun(run_id=str(uuid.uuid4()), job_name="sync", status=status, tags=dict(request.tags))
        )


def start(stage: Stage, instance: dg.DagsterInstance, tags: Mapping[str, str]) -> bool:
    """Run the sync of a range of days, named by its tags."""
    job = stage.runner(instance).definitions.resolve_job_def("sync")
    return job.execute_in_process(
        instance=instance, tags=dict(tags), run_config=QUIET_RUN_CONFIG, raise_on_error=False
    ).success


def ends(tags: Mapping[str, str]) -> tuple[str, str]:
    """Return the first and the last day of a request."""
    return tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]


def emptied(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """Empty an instance with a folder of its own, and let each tick have it; a real one opens it anew."""
    for run in instance.get_runs():
        instance.delete_run(run.run_id)
    instance.wipe_assets([*instance.all_asset_keys()])
    monkeypatch.setattr(dg.DagsterInstance, "from_ref", staticmethod(lambda _: nullcontext(instance)))
    return instance
