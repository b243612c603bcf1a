"""A code location of assets that do nothing, as many as a sync has, for comparison with an hourly run."""

import dagster as dg

COUNT = 14
"""The assets of the job `sync`; a test compares it."""


def _build(number: int, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    @dg.asset(name=f"asset_{number}", deps=[f"asset_{number - 1}"] if number else [], partitions_def=partitions)
    def asset() -> None:
        """Do nothing."""

    definition: dg.AssetsDefinition = asset
    return definition


@dg.definitions
def defs() -> dg.Definitions:
    """Return the code location, with the executor of the product's."""
    partitions = dg.DailyPartitionsDefinition("2026-09-21", timezone="Pacific/Auckland", end_offset=1)
    assets = [_build(number, partitions) for number in range(COUNT)]
    sync = dg.define_asset_job("sync", selection=dg.AssetSelection.assets(*assets))
    return dg.Definitions(assets=assets, jobs=[sync], executor=dg.in_process_executor)
