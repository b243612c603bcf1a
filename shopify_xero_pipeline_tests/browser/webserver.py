"""Dagster's webserver on the shared clock."""

from dagster_webserver.cli import main

from shopify_xero_pipeline_tests.browser import in_time

__all__ = ["in_time"]

if __name__ == "__main__":
    main()
