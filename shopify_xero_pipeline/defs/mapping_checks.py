"""Checks of the whole mapping, which the job `mapping_checks` runs every night."""

from collections.abc import Iterator

import dagster as dg

from shopify_xero_pipeline.defs.metadata.tables import record_table
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.verdict import count_of

MAPPING_CHECK_NAMES = {
    "no_duplicate_xero_id": "No two Shopify records are mapped to one Xero record.",
    "no_orphan": "Every mapped document has its Contact, every Payment its document.",
    "rows_intact": "Every row has the checksum that it was written with.",
}


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset=MAPPING, description=text) for name, text in MAPPING_CHECK_NAMES.items()]
)
def mapping_intact(sync_service: dg.ResourceParam[SyncService]) -> Iterator[dg.AssetCheckResult]:
    """Check the consistency of the mapping, without a call to Shopify or Xero."""
    for name, violations in sync_service.mapping_violations().items():
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=MAPPING,
            passed=not violations,
            description=count_of(len(violations), "violation") if violations else "no violations",
            metadata={"count": len(violations), "records": record_table({"record": text} for text in violations)},
        )
