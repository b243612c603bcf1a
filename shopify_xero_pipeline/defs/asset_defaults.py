"""Settings common to all assets: backfill policy, owners, group and kinds.

This module only holds what applies to every asset. The description of an asset is in the module that defines it.
"""

from typing import Any

import dagster as dg

OWNERS = ["team:bookkeeping"]


def with_owners(spec: dg.AssetSpec, page: str) -> dg.AssetSpec:
    """Return an asset's spec with its owners, and with a link to `page` (a URL) unless that is ''."""
    link = {"owner page": dg.MetadataValue.url(page)} if page else {}
    return spec.merge_attributes(owners=OWNERS, metadata=link)


def daily_asset_args(partitions: dg.PartitionsDefinition[str], group: str, *kinds: str) -> dict[str, Any]:
    """Return the arguments that all daily assets share.

    Args:
        partitions: the daily partitions.
        group: asset group: `shopify`, `changes`, `xero` or `books`.
        kinds: kinds of the asset, which the UI displays as icons.
    """
    return {
        "partitions_def": partitions,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "group_name": group,
        "kinds": {*kinds},
    }
