"""The product's code location with all of Dagster on the shared clock."""

from types import SimpleNamespace

from shopify_xero_pipeline.defs import check_results
from shopify_xero_pipeline_tests.campaigns.browser.in_time import timestamp
from shopify_xero_pipeline_tests.campaigns.dagster_runs.location import defs

check_results.time = SimpleNamespace(time=timestamp)  # type: ignore[assignment, attr-defined]

__all__ = ["defs"]
