"""Resources: the sync service with which every step works, the storage of assets, and the channels of alerts.

Their configuration names the file beside the environment from which settings are read, and no setting itself: settings
are read when a run begins, so that no secret reaches Dagster's storage. Dagster's `EnvVar` cannot stand for them, as it
fails for a variable that is not set, and most settings are optional.
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
from shopify_xero_pipeline.defs.run_liveness import hold_run_lock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS, Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.watchdog import time_limit
from shopify_xero_pipeline.settings import Settings

TRANSIENT_LABEL = "passes by itself"
"""Metadata of a failed step that needs no change: the same run may be tried again later."""

SETTING_LABEL = "has to be put right first"
"""Metadata of a failed step that a setting, a permission or a disk blocks."""

ENV_FILE = ".env"


class SyncServiceResource(dg.ConfigurableResource[SyncService]):
    """One run's connections to Shopify, Xero and the state store, each opened when first used."""

    env_file: str = ENV_FILE

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[SyncService]:
        """Yield a sync service; hold the run's lock and keep its time limit until the run ends."""
        sync_service = SyncService(Connections(_settings(self.env_file), SystemClock()))
        run, instance = context.run, context.instance
        try:
            with ExitStack() as stack:
                if run is not None and instance is not None:
                    stack.enter_context(events.bind_context(sync_id=run.run_id))
                    stack.enter_context(hold_run_lock(instance, run.run_id))
                    stack.enter_context(time_limit(instance.run_monitoring_max_runtime_seconds))
                yield sync_service
        finally:
            sync_service.connections.close()


class JsonStorage(dg.ConfigurableIOManagerFactory[JsonIOManager]):
    """One JSON file a day for each asset, below ASSET_STORAGE."""

    env_file: str = ENV_FILE

    def create_io_manager(self, context: dg.InitResourceContext) -> JsonIOManager:  # noqa: ARG002
        """Return the IO manager on ASSET_STORAGE."""
        settings = _settings(self.env_file)
        return JsonIOManager(UPath(settings.asset_storage), timedelta(days=settings.payload_retention_days))


class AlertChannels(dg.ConfigurableResource[list[Channel]]):
    """The channels to which alerts go, as the settings name them."""

    env_file: str = ENV_FILE

    def create_resource(self, context: dg.InitResourceContext) -> list[Channel]:  # noqa: ARG002
        """Return the channels."""
        return service.build_channels(_settings(self.env_file), SystemClock())


def _settings(env_file: str) -> Settings:
    return Settings.from_environment(os.environ, Path(env_file))


@contextmanager
def count_api_calls(sync_service: SyncService) -> Iterator[dict[str, int]]:
    """Let a sync service do a step's work; afterwards what is yielded holds the calls it made, as the UI plots them."""
    before, calls = sync_service.connections.calls, dict[str, int]()
    with as_dagster_failure():
        yield calls
    made = (after - earlier for earlier, after in zip(before, sync_service.connections.calls, strict=True))
    calls |= zip(("calls to Shopify", "calls to Xero"), made, strict=True)


@contextmanager
def as_dagster_failure() -> Iterator[None]:
    """Turn what our rooms raise into a failed step that says what to do; trying the same step again would not help."""
    try:
        yield
    except EXPECTED_ERRORS as problem:
        kind = (
            {TRANSIENT_LABEL: "try again later"}
            if isinstance(problem, TRANSIENT_ERRORS)
            else {SETTING_LABEL: "then run it again"}
        )
        raise dg.Failure(description=str(problem), metadata=kind, allow_retries=False) from None
