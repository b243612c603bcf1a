"""The runs that the part `idle` of the benchmark compares, and their counts."""

import dagster as dg
import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline_tests.campaigns.bench import no_op_assets
from shopify_xero_pipeline_tests.campaigns.bench.idle import GOALS, RunCost, _goals, measure_runs

POLICY = BooksPolicy.from_yaml("time_zone: Pacific/Auckland\nstart_date: 2026-09-21\n", "books.yaml")


def assets_of_a_sync(defs: dg.Definitions) -> int:
    return len(defs.resolve_job_def("sync").asset_layer.selected_asset_keys)


def cost(events: int, cpu: float) -> RunCost:
    return RunCost(dict.fromkeys(GOALS, 20) | {"events": events}, [cpu])


def test_there_are_as_many_assets_that_do_nothing_as_a_sync_has() -> None:
    assert assets_of_a_sync(no_op_assets.defs()) == no_op_assets.COUNT
    assert assets_of_a_sync(build_definitions(policy=POLICY)) == no_op_assets.COUNT


def test_a_count_above_its_goal_is_named_and_a_time_never_decides() -> None:
    sentence, is_exceeded = _goals(cost(events=41, cpu=1.0), cost(events=20, cpu=1.0))
    assert is_exceeded
    assert "Exceeded: 2.05 times the events. The goal of 1.2 times their CPU is met: 1.00 times." in sentence
    sentence, is_exceeded = _goals(cost(events=40, cpu=9.0), cost(events=20, cpu=1.0))
    assert not is_exceeded
    assert "They are met. The goal of 1.2 times their CPU is not met: 9.00 times." in sentence


@pytest.mark.campaign
@pytest.mark.long
def test_an_hourly_run_opens_dagsters_files_once_and_calls_xero_not_at_all() -> None:
    product, no_op = measure_runs(lambda _: None, repetitions=1)
    assert product.counts["calls to Xero"] == 0
    assert 0 < product.counts["calls to Shopify"] <= 2
    assert product.counts["openings of Dagster's files"] <= 30
    assert no_op.counts["events"] < product.counts["events"] <= 2 * no_op.counts["events"]
    assert _goals(product, no_op)[1] is False
