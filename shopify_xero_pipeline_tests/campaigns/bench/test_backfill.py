"""The backfill of the benchmark writes all orders, and its memory decides."""

from dataclasses import replace

import pytest

from shopify_xero_pipeline_tests.campaigns.bench.backfill import (
    Backfill,
    exceeds_memory,
    measure_size,
    memory_sentence,
    rows,
)
from shopify_xero_pipeline_tests.campaigns.bench.backfill_run import BackfillCost

COST = BackfillCost(calls=3, cpu=2.0, samples={"this project": 3, "Dagster": 1}, peak=400.0, base=100.0)


@pytest.mark.campaign
def test_a_backfill_runs_in_a_process_of_its_own() -> None:
    result = measure_size(4, lambda _: None, days=2)
    # The settings, then a call for Contacts, Invoices and Payments each, and the reads around them.
    assert 3 <= result.cost.calls <= 20
    assert result.cost.cpu > 0
    assert sum(result.cost.samples.values()) > 0
    assert 0 < result.cost.base < result.cost.peak


def test_the_memory_of_a_backfill_may_neither_grow_with_the_orders_nor_be_large() -> None:
    few = Backfill(10, COST, sandbox_cpu=1.0)
    assert not exceeds_memory([few, few])
    more = replace(few, orders=20, cost=replace(COST, peak=601.0))
    assert exceeds_memory([few, more])
    assert memory_sentence([few, more]) == "Exceeded: 1.50 times, 601 MB."
    large = replace(few, cost=replace(COST, peak=1_000.0))
    assert exceeds_memory([large, large])


def test_a_table_has_the_cost_of_an_order_and_the_shares() -> None:
    table = dict((label, cell) for label, cell in rows([Backfill(10, COST, sandbox_cpu=1.0)]))
    assert table["CPU for each order, ms"] == "200.0"
    assert (table["of which this project, %"], table["of which Dagster, %"]) == ("75", "25")
    assert table["the sandbox's CPU for each order, ms"] == "100.0"
