"""Resources read the environment when a run begins, and close what they opened."""

from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.resources import (
    AlertChannels,
    JsonStorage,
    SyncServiceResource,
    as_dagster_failure,
    count_api_calls,
)
from shopify_xero_pipeline.pipeline.connections import Connections, PipelineError
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings


def test_the_sync_service_is_opened_on_the_environments_settings_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPIFY_SHOP", "goods.myshopify.com")
    closed: list[Connections] = []
    monkeypatch.setattr(Connections, "close", lambda self: closed.append(self))
    with dg.build_resources({"sync_service": SyncServiceResource()}) as resources:
        sync_service = resources.sync_service
        assert sync_service.connections.shop_domain == "goods.myshopify.com"
        assert closed == []
    assert closed == [sync_service.connections]


def test_assets_are_stored_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSET_STORAGE", str(tmp_path / "here"))
    with dg.build_resources({"io_manager": JsonStorage()}) as resources:
        storage = resources.io_manager
    assert isinstance(storage, JsonIOManager)
    days = dg.DailyPartitionsDefinition("2026-09-21")
    with dg.build_output_context(asset_key=["a"], partition_key="2026-09-21", asset_partitions_def=days) as output:
        storage.handle_output(output, {"2026-09-21": 1})
    assert (tmp_path / "here" / "a" / "2026-09-21.json").read_text() == "1"


def test_the_ui_shows_from_which_file_settings_are_read_and_no_setting() -> None:
    for resource in (SyncServiceResource(), JsonStorage(), AlertChannels()):
        assert resource.model_dump() == {"env_file": ".env"}


def test_what_the_rooms_raise_becomes_a_failed_step_without_a_chain_and_without_a_retry() -> None:
    with pytest.raises(dg.Failure) as caught, as_dagster_failure():
        raise PipelineError("do this")
    assert caught.value.description == "do this"
    assert caught.value.allow_retries is False
    assert caught.value.__suppress_context__


def test_a_steps_calls_to_both_sides_are_counted_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([(3, 5), (4, 9)])
    monkeypatch.setattr(Connections, "calls", property(lambda _: next(made)))
    sync_service = SyncService(Connections(Settings.from_environment({}, None), SystemClock()))
    with count_api_calls(sync_service) as calls:
        assert calls == {}
    assert calls == {"Shopify API calls": 1, "Xero API calls": 4}


def test_what_nobody_foresaw_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), as_dagster_failure():
        _ = 1 // 0
