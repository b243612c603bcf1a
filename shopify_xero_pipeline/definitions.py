"""The Dagster code location, assembled from assets, checks, jobs, schedules, sensors and resources.

The import reads nothing. `defs` reads `books.yaml` and the environment when Dagster loads the code location, because
the partitions depend on the start date and on the shop's time zone.
"""

import os
import warnings
from collections.abc import Mapping

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.defs import extensions
from shopify_xero_pipeline.defs.alerts import alerts_sensor
from shopify_xero_pipeline.defs.asset_defaults import with_owners
from shopify_xero_pipeline.defs.dagster_logging import install_run_logger
from shopify_xero_pipeline.defs.extract import extract_assets
from shopify_xero_pipeline.defs.jobs import MAPPING_CHECKS, OPEN_FAILURES, PLAN, SYNC
from shopify_xero_pipeline.defs.load import load_assets
from shopify_xero_pipeline.defs.mapping import mapping_asset, mapping_intact
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
        policy: sets the start date, and the time zone of partitions and schedules.
        resources: resources by name that replace the default ones, for tests and the demo.
        automation: whether schedules and sensors are on by default; `dead_runs` always is.
        database: the database of the mapping, `sqlite` or `postgres`.
        owners_page: URL of the owners' page, to which every asset links; '' for none.
    """
    with warnings.catch_warnings():
        # Runs of a range are beta, partitioned checks a preview; both are tested and pinned (docs/architecture.md).
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        partitions = daily_partitions(policy)
        return dg.Definitions(
            assets=_build_assets(partitions, database, owners_page),
            asset_checks=[mapping_intact, all_days],
            jobs=[SYNC, PLAN, MAPPING_CHECKS, OPEN_FAILURES],
            schedules=build_schedules(
                zone=policy.time_zone, start=policy.start_date, partitions=partitions, automation=automation
            ),
            sensors=[
                *build_sensors(zone=policy.time_zone, partitions=partitions, automation=automation),
                alerts_sensor(automation=automation),
            ],
            resources={
                "sync_service": SyncServiceResource(),
                "io_manager": JsonStorage(),
                "channels": AlertChannels(),
                **(resources or {}),
            },
            executor=dg.in_process_executor,
        )


def _build_assets(
    partitions: dg.PartitionsDefinition[str], database: str, owners_page: str
) -> list[dg.AssetsDefinition]:
    assets = [
        *extract_assets(partitions),
        *change_assets(partitions),
        *load_assets(partitions),
        reconciliation_asset(partitions),
        dg.AssetsDefinition(specs=[mapping_asset(database), trends_asset(partitions), open_failures_asset()]),
    ]
    return [asset.map_asset_specs(lambda spec: with_owners(spec, owners_page)) for asset in assets]


@dg.definitions
def defs() -> dg.Definitions:
    """Return the code location for the environment and `books.yaml`, with the installation's own objects."""
    settings = Settings.from_environment(os.environ)
    logs.configure_process_logging(settings)
    install_run_logger(settings)
    product = build_definitions(
        policy=load_policy(settings.books_file),
        automation=settings.automation,
        database=settings.database,
        owners_page=settings.owners_page,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.Definitions.merge(product, dg.load_definitions_from_package_module(extensions))
