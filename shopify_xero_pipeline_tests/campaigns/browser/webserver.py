"""The product's webserver, which is Dagster's behind the guard, on the shared clock."""

import os
import sys

from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.webserver.command import run
from shopify_xero_pipeline_tests.campaigns.browser import in_time

__all__ = ["in_time"]

if __name__ == "__main__":
    run(sys.argv[1:], Settings.from_environment(os.environ))
