"""The code location that the simulated daemon loads, as Dagster loads any: by the name of a module.

Its resources are those of the stage that is being played; Dagster loads it in this very process.
"""

from collections.abc import Sequence

import dagster as dg
from upath import UPath

from shopify_xero_pipeline.alerts.channels import Channel
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline_tests.support.stage import Stage

PLAYED: list[tuple[Stage, Sequence[Channel]]] = []


def defs() -> dg.Definitions:
    """Return the product's definitions over the stage that is played, with automation on."""
    stage, channels = PLAYED[-1]
    storage = JsonIOManager(UPath(stage.folder / "assets"))
    resources = {"sync_service": stage.sync_service, "io_manager": storage, "channels": channels}
    return build_definitions(policy=stage.sync_service.policy, resources=resources, automation=True)
