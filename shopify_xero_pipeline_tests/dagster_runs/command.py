"""The product's command line, on the shared clock and otherwise as it is."""

from shopify_xero_pipeline import cli
from shopify_xero_pipeline_tests.dagster_runs.clock import SharedClock

cli.SystemClock = SharedClock  # type: ignore[attr-defined, assignment]

if __name__ == "__main__":
    cli.main()
