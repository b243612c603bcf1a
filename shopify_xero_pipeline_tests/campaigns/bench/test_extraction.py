"""The benchmark of the extraction, with few orders."""

import pytest

from shopify_xero_pipeline_tests.campaigns.bench import extraction

pytestmark = pytest.mark.campaign


def test_both_readers_return_the_same_orders_and_the_bulk_one_costs_fewer_calls_and_points() -> None:
    pages, bulk = extraction.measure_readers(300, lambda step: None)
    assert (pages.orders, pages.digest) == (bulk.orders, bulk.digest)
    assert pages.orders == 300
    assert bulk.points < pages.points / 10
    assert bulk.calls < 15
    assert not extraction.is_exceeded([pages, bulk])
    assert "It is met." in extraction.section([pages, bulk])
