"""The mapping as a node of the lineage: loads write it, change-sets read it; an edge back would be a cycle."""

import dagster as dg

from shopify_xero_pipeline.defs.plan import MAPPING


def mapping_asset(database: str) -> dg.AssetSpec:
    """Return the external asset `entity_mapping`, in `sqlite` or `postgres`; the loads log its materialisations."""
    return dg.AssetSpec(
        MAPPING,
        group_name="state",
        kinds={database},
        description="Which Shopify record became which Xero record: table `entity_mapping` of the state store.",
    )
