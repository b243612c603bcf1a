"""What all assets have in common: how a backfill is cut into runs, who looks after them, how fresh they are.

Only what the framework wants to know of every one of them belongs here; what each holds is said where it is defined.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from shopify_xero_pipeline.pipeline.calendar import MAX_DAYS_PER_RUN

OWNERS = ["team:bookkeeping"]
FRESHNESS_POLICY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=4))
"""Today is brought up to date every hour: after four hours something is in the way, after a day somebody must know."""


def with_owners(spec: dg.AssetSpec, page: str) -> dg.AssetSpec:
    """Return an asset with its owners and, if there is one, the page on which they are reached."""
    link = {"who looks after it": dg.MetadataValue.url(page)} if page else {}
    return spec.merge_attributes(owners=OWNERS, metadata=link)


def daily_asset_args(partitions: dg.PartitionsDefinition[str], group: str, *kinds: str) -> dict[str, Any]:
    """Return the arguments that all assets of days share.

    Args:
        partitions: the days.
        group: of the lineage, `shopify`, `changes`, `xero` or `books`.
        kinds: shown as icons.
    """
    return {
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.multi_run(MAX_DAYS_PER_RUN),
        "group_name": group,
        "kinds": {*kinds},
        "freshness_policy": FRESHNESS_POLICY,
    }


def daily_asset_spec(key: dg.AssetKey, group: str, *kinds: str, description: str) -> dg.AssetSpec:
    """Return the spec of one asset of a step that has several; the step itself names the partitions.

    Args:
        key: of the asset.
        group: of the lineage.
        kinds: shown as icons.
        description: shown in the Dagster UI.
    """
    return dg.AssetSpec(
        key, group_name=group, kinds={*kinds}, freshness_policy=FRESHNESS_POLICY, description=description
    )
