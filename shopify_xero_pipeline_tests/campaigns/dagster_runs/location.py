"""The product's code location on the shared clock."""

from shopify_xero_pipeline.defs import resources
from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import SharedClock

resources.SystemClock = SharedClock  # type: ignore[attr-defined, assignment]

from shopify_xero_pipeline.definitions import defs  # noqa: E402

__all__ = ["defs"]
