"""Dagster's daemon without its threads: its evaluation of schedules and sensors at instants of the stage's clock.

Runs execute where they are launched, one after the other, and take as long as the stage's clock shows. Unlike a real
daemon, a tick receives the open instance instead of opening it again.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import ScheduleIterationTimes, launch_scheduled_runs

from shopify_xero_pipeline.alerts.channels import Channel
from shopify_xero_pipeline_tests.campaigns.fortnight import location
from shopify_xero_pipeline_tests.support.stage import Stage

SETTINGS = {"python_logs": {"python_log_level": "CRITICAL"}, "telemetry": {"enabled": False}}


class Daemon:
    """A daemon on a stage.

    Attributes:
        instance: the instance of its ticks and runs.
    """

    def __init__(self, stage: Stage, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance = instance
        self._clock, self._workspace = stage.clock, workspace
        self._logger = logging.getLogger("simulated daemon")
        self._logger.setLevel(logging.CRITICAL)
        self._times: dict[str, ScheduleIterationTimes] = {}

    def work(self, until: datetime, every: timedelta) -> None:
        """Evaluate all schedules and sensors at intervals, until an instant."""
        while (started := self._clock.now()) < until:
            self.look()
            self._clock.move_to(max(self._clock.now(), min(until, started + every)))

    def look(self) -> None:
        """Evaluate all schedules and sensors once."""
        now = self._clock.now().astimezone(UTC)
        with freeze_time(now):
            for _ in launch_scheduled_runs(self._workspace, self._logger, now, self._times):
                pass
        with freeze_time(self._clock.now().astimezone(UTC)):
            for _ in execute_sensor_iteration(self._workspace, self._logger, None, None):
                pass


@contextmanager
def at_work(stage: Stage, channels: Sequence[Channel], home: Path) -> Iterator[Daemon]:
    """Yield a daemon with its own code location and instance."""
    origin = InProcessCodeLocationOrigin(
        LoadableTargetOrigin(module_name=location.__name__, attribute="defs"), location_name="the product"
    )
    home.mkdir()
    location.PLAYED.append((stage, channels))
    with ExitStack() as stack:
        stack.callback(location.PLAYED.pop)
        stack.enter_context(freeze_time(stage.clock.now().astimezone(UTC)))
        instance = stack.enter_context(
            instance_for_test(
                SETTINGS, temp_dir=str(home), synchronous_run_launcher=True, synchronous_run_coordinator=True
            )
        )
        stack.enter_context(patch.object(dg.DagsterInstance, "from_ref", lambda _: nullcontext(instance)))
        workspace = stack.enter_context(WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)))
        yield Daemon(stage, instance, workspace)
