"""The mapping as an external asset of the lineage.

Change-sets depend on it. The loads write it, but an edge from them would be a cycle.
"""

import dagster as dg

from shopify_xero_pipeline.defs.plan import MAPPING


def mapping_asset(database: str) -> dg.AssetSpec:
    """Return the external asset `entity_mapping` in a database; the loads log its materialisations."""
    return dg.AssetSpec(
        MAPPING,
        group_name="state",
        kinds={database},
        description="The Xero record of each Shopify record: the table `entity_mapping` of the state store.",
    )
