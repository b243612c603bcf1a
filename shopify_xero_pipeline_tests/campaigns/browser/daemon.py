"""Dagster's daemon on the shared clock."""

from dagster._daemon.cli import main

from shopify_xero_pipeline_tests.campaigns.browser import in_time

__all__ = ["in_time"]

if __name__ == "__main__":
    main()
