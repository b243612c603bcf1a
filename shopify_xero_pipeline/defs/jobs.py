"""The jobs: sync a day, plan a day without a write, check the mapping, look for what is open on all days."""

import dagster as dg

from shopify_xero_pipeline.defs.open_failures import check_keys
from shopify_xero_pipeline.defs.plan import MAPPING

RESPECT_RETRY_SCHEDULE_TAG = "shopify-xero/patient"
"""Tag of runs that nobody waits for: in them a failed record rests until its next try is due."""

ALL_DAYS_CHECKS = dg.AssetSelection.checks(*check_keys())
"""Checks that look at all days. The assets of a sync log them without a step, so they are not among its steps."""

SYNC = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.groups("shopify", "changes", "xero", "books") - ALL_DAYS_CHECKS,
    description="Extract, plan, load and reconcile days.",
)
PLAN = dg.define_asset_job(
    "plan",
    selection=dg.AssetSelection.groups("shopify", "changes"),
    description="Extract and plan days: the dry run. Nothing is written to Xero.",
)
MAPPING_CHECKS = dg.define_asset_job(
    "mapping_checks",
    selection=dg.AssetSelection.checks_for_assets(MAPPING),
    description="Check the mapping's own consistency.",
)
OPEN_FAILURES = dg.define_asset_job(
    "open_failures",
    selection=ALL_DAYS_CHECKS,
    description="Look for what is not in Xero or does not agree now, on all days, without asking either side.",
)
