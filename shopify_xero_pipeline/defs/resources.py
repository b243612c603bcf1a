"""Dagster resources: the sync service, the IO manager, and the channels of alerts.

Their only configuration is the name of the file that is read besides the environment. Settings are read when a run
begins, so no secret reaches Dagster's storage. `EnvVar` is not used, because it fails for a variable that is not set,
and most settings are optional.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
from upath import UPath

from shopify_xero_pipeline.alerts import service
from shopify_xero_pipeline.alerts.channels import Channel
from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.partitions import run_time_limit
from shopify_xero_pipeline.defs.run_liveness import hold_run_lock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS, Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.watchdog import time_limit
from shopify_xero_pipeline.settings import Settings

TRANSIENT_LABEL = "transient"
"""Metadata of a failed step that a later run may complete without a change."""

SETTING_LABEL = "action required"
"""Metadata of a failed step that a setting, a permission or a disk blocks."""

SHOPIFY_CALLS, XERO_CALLS = "Shopify API calls", "Xero API calls"
"""Metadata with the number of a step's API calls."""

ENV_FILE = ".env"


class SyncServiceResource(dg.ConfigurableResource[SyncService]):
    """The sync service of a run. It opens each connection to Shopify, Xero and the state store at its first use."""

    env_file: str = ENV_FILE

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[SyncService]:
        """Yield a sync service; hold the lock of the run and enforce its time limit until the run ends."""
        sync_service = SyncService(Connections(_read_settings(self.env_file), SystemClock()))
        run, instance = context.run, context.instance
        try:
            with ExitStack() as stack:
                if run is not None and instance is not None:
                    stack.enter_context(events.bind_context(sync_id=run.run_id))
                    stack.enter_context(hold_run_lock(instance, run.run_id))
                    seconds = run_time_limit(run.tags, instance.run_monitoring_max_runtime_seconds)
                    stack.enter_context(time_limit(seconds))
                yield sync_service
        finally:
            sync_service.connections.close()


class JsonStorage(dg.ConfigurableIOManagerFactory[JsonIOManager]):
    """The factory of the IO manager that stores one JSON file a day for each asset."""

    env_file: str = ENV_FILE

    def create_io_manager(self, context: dg.InitResourceContext) -> JsonIOManager:  # noqa: ARG002
        """Return the IO manager for ASSET_STORAGE and PAYLOAD_RETENTION_DAYS."""
        settings = _read_settings(self.env_file)
        return JsonIOManager(UPath(settings.asset_storage), timedelta(days=settings.payload_retention_days))


class AlertChannels(dg.ConfigurableResource[list[Channel]]):
    """The configured channels of alerts."""

    env_file: str = ENV_FILE

    def create_resource(self, context: dg.InitResourceContext) -> list[Channel]:  # noqa: ARG002
        """Return the channels."""
        return service.build_channels(_read_settings(self.env_file), SystemClock())


def _read_settings(env_file: str) -> Settings:
    return Settings.from_environment(os.environ, Path(env_file))


@contextmanager
def count_api_calls(sync_service: SyncService) -> Iterator[dict[str, int]]:
    """Yield a dictionary that contains the number of API calls by metadata name once the context ends.

    Raises:
        dg.Failure: an expected error of the step; see `as_dagster_failure`.
    """
    before, calls = sync_service.connections.calls, dict[str, int]()
    with as_dagster_failure():
        yield calls
    counts = (after - earlier for earlier, after in zip(before, sync_service.connections.calls, strict=True))
    calls |= zip((SHOPIFY_CALLS, XERO_CALLS), counts, strict=True)


@contextmanager
def as_dagster_failure() -> Iterator[None]:
    """Raise the expected errors of the other rooms as `dg.Failure`, whose description contains the remedy.

    Raises:
        dg.Failure: without retries, because an immediate retry of the step would fail too.
    """
    try:
        yield
    except EXPECTED_ERRORS as error:
        metadata = (
            {TRANSIENT_LABEL: "run again later"}
            if isinstance(error, TRANSIENT_ERRORS)
            else {SETTING_LABEL: "fix the cause, then run again"}
        )
        raise dg.Failure(description=str(error), metadata=metadata, allow_retries=False) from None
