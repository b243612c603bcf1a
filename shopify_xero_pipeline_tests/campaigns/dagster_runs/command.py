"""The product's command line on the shared clock."""

from shopify_xero_pipeline import cli
from shopify_xero_pipeline_tests.campaigns.dagster_runs.clock import SharedClock

cli.options.SystemClock = SharedClock  # type: ignore[attr-defined, assignment]

if __name__ == "__main__":
    cli.main()
