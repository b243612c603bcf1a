"""Assembly: the one place where assets, checks, jobs, schedules and resources become a code location.

Nothing is read when this module is imported; `defs` reads `books.yaml` and the environment when Dagster loads it,
because the days of the partitions depend on the start date and the shop's zone.
"""

import os
import warnings
from collections.abc import Mapping, Sequence

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.defs.alerts import alerts_sensor
from shopify_xero_pipeline.defs.asset_defaults import with_owners
from shopify_xero_pipeline.defs.dagster_logging import install_run_logger
from shopify_xero_pipeline.defs.extract import extract_assets
from shopify_xero_pipeline.defs.jobs import MAPPING_CHECKS, OPEN_FAILURES, PLAN, SYNC
from shopify_xero_pipeline.defs.load import load_assets
from shopify_xero_pipeline.defs.mapping import mapping_asset
from shopify_xero_pipeline.defs.mapping_checks import mapping_intact
from shopify_xero_pipeline.defs.open_failures import all_days, open_failures_asset
from shopify_xero_pipeline.defs.partitions import daily_partitions
from shopify_xero_pipeline.defs.plan import change_assets
from shopify_xero_pipeline.defs.reconcile import reconciliation_asset
from shopify_xero_pipeline.defs.resources import AlertChannels, JsonStorage, SyncServiceResource
from shopify_xero_pipeline.defs.schedules import build_schedules
from shopify_xero_pipeline.defs.sensors import build_sensors
from shopify_xero_pipeline.defs.trends import trends_asset
from shopify_xero_pipeline.observability import logs
from shopify_xero_pipeline.pipeline.connections import load_policy
from shopify_xero_pipeline.settings import Settings


def build_definitions(
    *,
    policy: BooksPolicy,
    resources: Mapping[str, object] | None = None,
    automation: bool = False,
    database: str = "sqlite",
    owners_page: str = "",
) -> dg.Definitions:
    """Return the code location.

    Args:
        policy: decides the days (start date) and the zone of partitions and schedules.
        resources: replaces `sync_service` and `io_manager`, for tests and the demo.
        automation: whether the schedules and the sensors that ask for days start running by themselves.
        database: what the mapping is kept in, `sqlite` or `postgres`.
        owners_page: where those who look after the books are reached; every asset links to it.
    """
    with warnings.catch_warnings():
        # Ranges in one run are beta, checks by day a preview; both are measured and pinned (docs/architecture.md).
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        partitions = daily_partitions(policy)
        assets = _assets(partitions, database, owners_page)
        return _assembled(policy, partitions, assets, resources or {}, automation=automation)


def _assets(partitions: dg.PartitionsDefinition[str], database: str, owners_page: str) -> list[dg.AssetsDefinition]:
    assets = [
        *extract_assets(partitions),
        *change_assets(partitions),
        *load_assets(partitions),
        reconciliation_asset(partitions),
        dg.AssetsDefinition(specs=[mapping_asset(database), trends_asset(partitions), open_failures_asset()]),
    ]
    return [asset.map_asset_specs(lambda spec: with_owners(spec, owners_page)) for asset in assets]


def _assembled(
    policy: BooksPolicy,
    partitions: dg.PartitionsDefinition[str],
    assets: Sequence[dg.AssetsDefinition],
    resources: Mapping[str, object],
    *,
    automation: bool,
) -> dg.Definitions:
    return dg.Definitions(
        assets=assets,
        asset_checks=[mapping_intact, all_days],
        jobs=[SYNC, PLAN, MAPPING_CHECKS, OPEN_FAILURES],
        schedules=build_schedules(
            zone=policy.time_zone, start=policy.start_date, partitions=partitions, running=automation
        ),
        sensors=[
            *build_sensors(zone=policy.time_zone, partitions=partitions, running=automation),
            alerts_sensor(running=automation),
        ],
        resources={
            "sync_service": SyncServiceResource(),
            "io_manager": JsonStorage(),
            "channels": AlertChannels(),
            **resources,
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the code location as the environment and `books.yaml` describe it."""
    settings = Settings.from_environment(os.environ)
    logs.configure_process_logging(settings)
    install_run_logger(settings)
    return build_definitions(
        policy=load_policy(settings.books_file),
        automation=settings.automation,
        database=settings.database,
        owners_page=settings.owners_page,
    )
