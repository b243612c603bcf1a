"""The jobs: sync a day, plan a day without a write, check the mapping."""

import dagster as dg

from shopify_xero_pipeline.defs.assets.changes import MAPPING

PATIENT = "shopify-xero/patient"
"""Tag of runs that nobody waits for: in them a failed record rests until its next try is due."""

SYNC = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.groups("shopify", "changes", "xero", "books"),
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
