"""The code location of the simulated daemon, loaded by the name of this module like any other.

Its resources are those of the current stage; Dagster loads it in the same process.
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
    """Return the product's definitions over the current stage, with automation on."""
    stage, channels = PLAYED[-1]
    storage = JsonIOManager(UPath(stage.folder / "assets"))
    resources = {"sync_service": stage.sync_service, "io_manager": storage, "channels": channels}
    return build_definitions(policy=stage.sync_service.connections.policy, resources=resources, automation=True)
