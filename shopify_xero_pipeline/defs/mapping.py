"""The mapping as an external asset of the lineage, and its checks, which the job `mapping_checks` runs every night.

Change-sets depend on the mapping. The loads write it, but an edge from them would be a cycle.
"""

from collections.abc import Iterator

import dagster as dg

from shopify_xero_pipeline.defs.metadata.tables import record_table
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.pipeline.record_views import TableView
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.mapping_integrity import violations
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.xero.models import Kind

MAPPING_CHECK_NAMES = {
    "no_duplicate_xero_id": "No two Shopify records are mapped to one Xero record.",
    "no_orphan": "Every mapped document has its Contact, every Payment its document.",
    "rows_intact": "Every row has the checksum that it was written with.",
}


def mapping_asset(database: str) -> dg.AssetSpec:
    """Return the external asset `entity_mapping` in a database; the loads log its materialisations."""
    return dg.AssetSpec(
        MAPPING,
        group_name="state",
        kinds={database},
        description="The Xero record of each Shopify record: the table `entity_mapping` of the state store.",
    )


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset=MAPPING, description=text) for name, text in MAPPING_CHECK_NAMES.items()]
)
def mapping_intact(sync_service: dg.ResourceParam[SyncService]) -> Iterator[dg.AssetCheckResult]:
    """Verify the whole state store and check the consistency of the mapping, without a call to Shopify or Xero.

    Raises:
        StoreDamagedError: the store is damaged; the checks fail with its message.
    """
    store = sync_service.connections.store
    store.verify()
    mapped = (row for kind in Kind for row in store.mapped(kind).values())
    for name, texts in violations(mapped).items():
        records = TableView(("record",), [(text,) for text in texts])
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=MAPPING,
            passed=not texts,
            description=count_of(len(texts), "violation") if texts else "no violations",
            metadata={
                "count": len(texts),
                "records": record_table(records),
            },
        )
