"""Checks on the mapping as a whole, run nightly by the job `mapping_checks`."""

from collections.abc import Iterator

import dagster as dg

from shopify_xero_pipeline.defs.metadata.tables import record_table
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.pipeline.sync import SyncService

MAPPING_CHECK_NAMES = {
    "no_duplicate_xero_id": "No two Shopify records point at one Xero record.",
    "no_orphan": "Every document of the mapping has its Contact, every Payment its document.",
    "rows_intact": "Every row's content still has the checksum it was written with.",
}


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset=MAPPING, description=says) for name, says in MAPPING_CHECK_NAMES.items()]
)
def mapping_intact(sync_service: dg.ResourceParam[SyncService]) -> Iterator[dg.AssetCheckResult]:
    """Look at the mapping's own consistency, without asking either side."""
    found = sync_service.mapping_violations()
    for name in MAPPING_CHECK_NAMES:
        faults = found[name]
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=MAPPING,
            passed=not faults,
            description=f"{len(faults)} to look at" if faults else "nothing found",
            metadata={"count": len(faults), "records": record_table({"record": fault} for fault in faults)},
        )
