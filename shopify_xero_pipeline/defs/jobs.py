"""Jobs that sync days, plan days without a write, check the mapping, and list the open failures of all days."""

from collections.abc import Mapping

import dagster as dg

from shopify_xero_pipeline.defs.open_failures import check_keys
from shopify_xero_pipeline.defs.plan import MAPPING

RESPECT_RETRY_SCHEDULE_TAG = "shopify-xero/respect-retry-schedule"
"""Tag of automatic runs, which skip a failed record until its next attempt is due."""

FORMER_RESPECT_RETRY_SCHEDULE_TAG = "shopify-xero/patient"
"""The tag's name in 0.1, on runs that are queued or retried after an upgrade. Remove it after the next release."""

ALL_DAYS_CHECKS = dg.AssetSelection.checks(*check_keys())
"""Checks over all days. The assets of a sync log them without steps, so they are not part of the job `sync`."""

SYNC = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.groups("shopify", "changes", "xero", "books") - ALL_DAYS_CHECKS,
    description="Extract, plan, load and reconcile days.",
)
PLAN = dg.define_asset_job(
    "plan",
    selection=dg.AssetSelection.groups("shopify", "changes"),
    description="Extract and plan days without a write to Xero (a dry run).",
)
MAPPING_CHECKS = dg.define_asset_job(
    "mapping_checks",
    selection=dg.AssetSelection.checks_for_assets(MAPPING),
    description="Check the consistency of the mapping.",
)
OPEN_FAILURES = dg.define_asset_job(
    "open_failures",
    selection=ALL_DAYS_CHECKS,
    description=(
        "List the records that are not in Xero and the books that do not agree, on all days. Calls neither API."
    ),
)


def respects_retry_schedule(tags: Mapping[str, str]) -> bool:
    """Return whether a run with these tags skips failed records whose next attempt is not due."""
    return RESPECT_RETRY_SCHEDULE_TAG in tags or FORMER_RESPECT_RETRY_SCHEDULE_TAG in tags
