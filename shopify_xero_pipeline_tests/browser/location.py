"""The product's code location, with all of Dagster on the shared clock."""

from types import SimpleNamespace

from shopify_xero_pipeline.defs import report
from shopify_xero_pipeline_tests.browser.in_time import timestamp
from shopify_xero_pipeline_tests.dagster_runs.location import defs

report.time = SimpleNamespace(time=timestamp)  # type: ignore[assignment]

__all__ = ["defs"]
