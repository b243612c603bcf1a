"""The mapping as a node of the lineage: loads write it, change-sets read it; an edge back would be a cycle."""

import dagster as dg

from shopify_xero_pipeline.defs.assets.changes import MAPPING


def mapping_spec() -> dg.AssetSpec:
    """Return the external asset `entity_mapping`; the loads log its materialisations."""
    return dg.AssetSpec(
        MAPPING,
        group_name="state",
        kinds={"sqlite"},
        description="Which Shopify record became which Xero record: table `entity_mapping` of the state store.",
    )
