"""Resources: the sync service every step works with, and where assets are stored. Lifecycle only.

Neither takes configuration: settings are read from the environment when a run begins, so that no secret ever reaches
Dagster's storage.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import dagster as dg
from upath import UPath

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.run_liveness import hold_run_lock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TRANSIENT_ERRORS
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.watchdog import time_limit
from shopify_xero_pipeline.settings import Settings

TRANSIENT_LABEL = "passes by itself"
"""Metadata of a failed step after which nothing has to be mended: the same run may be tried again later."""
SETTING = "a setting has to be put right"
"""Metadata of a failed step that a setting is the reason of."""

SETTING = "has to be put right first"
"""Metadata of a failed step to which a setting, a permission or a disk stands in the way."""


@dg.resource(description="One run's connections to both sides and to the state store, opened when first used.")
def sync_service_resource(context: dg.InitResourceContext) -> Iterator[SyncService]:
    """Open a sync service on the environment's settings and close it when the run ends, alive and in time until then."""
    sync_service = SyncService(Settings.from_environment(os.environ), SystemClock())
    run, instance = context.run, context.instance
    try:
        with ExitStack() as stack:
            if run is not None and instance is not None:
                stack.enter_context(events.bind_context(sync_id=run.run_id))
                stack.enter_context(hold_run_lock(instance, run.run_id))
                stack.enter_context(time_limit(instance.run_monitoring_max_runtime_seconds))
            yield sync_service
    finally:
        sync_service.close()


@dg.io_manager(description="One JSON file a day for each asset, below ASSET_STORAGE.")
def json_storage(_: dg.InitResourceContext) -> JsonIOManager:
    """Return the IO manager on ASSET_STORAGE."""
    settings = Settings.from_environment(os.environ)
    return JsonIOManager(UPath(settings.asset_storage), timedelta(days=settings.payload_retention_days))


@contextmanager
def count_api_calls(sync_service: SyncService) -> Iterator[dict[str, int]]:
    """Let a sync service do a step's work; afterwards what is yielded holds the calls it made, as the UI plots them."""
    before, calls = sync_service.calls, dict[str, int]()
    with as_dagster_failure():
        yield calls
    made = (after - earlier for earlier, after in zip(before, sync_service.calls, strict=True))
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
            else {SETTING: "then run it again"}
        )
        raise dg.Failure(description=str(problem), metadata=kind, allow_retries=False) from None
