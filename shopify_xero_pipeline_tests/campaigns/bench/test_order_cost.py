"""The cost of an order, and a sync on each store, on a few days of the generated shop."""

from dataclasses import replace
from pathlib import Path

import pytest

from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.campaigns.bench.order_cost import (
    MAX_CALLS,
    PAYLOAD,
    PLAN,
    Shop,
    goal_sentence,
    measure_orders,
    read_shop,
)
from shopify_xero_pipeline_tests.campaigns.bench.throughput import measure_sync
from shopify_xero_pipeline_tests.support.postgres import Server

pytestmark = pytest.mark.campaign
DAYS = 14


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return read_shop(tmp_path_factory.mktemp("shop"), DAYS)


def test_an_order_takes_few_calls_from_its_node_to_its_payloads(shop: Shop) -> None:
    assert len(shop.texts) > 100
    cost = measure_orders(shop, 1)
    assert 0 < cost.payload_calls <= MAX_CALLS
    assert set(cost.ratios) == set(cost.calls) == {*PAYLOAD, PLAN}
    assert min(cost.ratios.values()) > 0


def test_calls_are_counted_alike_in_each_pass(shop: Shop) -> None:
    few = replace(shop, texts=shop.texts[:50])
    measure_orders(few, 1)  # later passes do not compile patterns and look up time zones again
    assert measure_orders(few, 1).calls == measure_orders(few, 1).calls


def test_more_calls_than_the_goal_do_not_meet_it(shop: Shop) -> None:
    cost = measure_orders(replace(shop, texts=shop.texts[:50]), 1)
    dear = replace(cost, calls={**cost.calls, "parse": 10_000.0})
    assert f"at most {MAX_CALLS} (not met)" in goal_sentence(dear)


def test_a_sync_writes_the_same_records_on_both_stores(tmp_path: Path, postgres: Server) -> None:
    shop, urls = GeneratedShop(1), (f"sqlite:///{tmp_path / 'state.db'}", postgres.new_schema())
    folders = [tmp_path / name for name in ("sqlite", "postgres")]
    for folder in folders:
        folder.mkdir()
    runs = [measure_sync(shop, 3, folder, url) for folder, url in zip(folders, urls, strict=True)]
    assert runs[0].written == runs[1].written
    assert {"contact", "invoice", "payment"} <= set(runs[0].written)
    assert all(0 < run.sandbox_cpu < run.cpu for run in runs)
