"""The counted calls of small workloads, and the goals of the part `calls`."""

from dataclasses import replace

import pytest

from shopify_xero_pipeline_tests.campaigns.bench import calls
from shopify_xero_pipeline_tests.campaigns.bench.call_report import outcome_of
from shopify_xero_pipeline_tests.campaigns.bench.call_workloads import WITH_CHANGES, Workload
from shopify_xero_pipeline_tests.campaigns.bench.calls import CallCounts, count_calls

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDK's
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

GOOD = CallCounts(
    records=3_000, bound=60, writes=60, reads=10, shopify=45, forecast=61, forecast_actual=61,
    unchanged_xero=0, unchanged_shopify=23, sdk=3_000,
)  # fmt: skip


def test_ten_new_orders_of_a_later_hour_take_seven_calls_and_thirty_with_the_sdk() -> None:
    count = count_calls(calls.TEN, lambda step: None)
    assert (count.records, count.bound, count.writes, count.reads) == (30, 3, 3, 4)
    assert (count.forecast, count.forecast_actual, count.sdk) == (4, 4, 30)
    assert (count.shopify, count.unchanged_xero, count.unchanged_shopify) == (3, 0, 2)


def test_refunds_edits_and_allocations_are_written_at_their_bound() -> None:
    """Of twenty orders six have a refund, one of them as an Allocation, and two have an edit with another Invoice."""
    count = count_calls(Workload("twenty", 20, 2, WITH_CHANGES), lambda step: None)
    assert count.writes == count.bound == 5  # Contacts, Invoices, Credit Notes, Payments and an Allocation
    assert count.sdk == count.records > 60
    assert count.forecast == count.forecast_actual


def test_counts_at_their_goals_meet_them() -> None:
    outcome = outcome_of({calls.ONE_DAY: GOOD})
    assert not outcome.exceeded
    assert outcome.goals.endswith("They are met.")
    assert "| 1,000 orders in a day | 3,000 | 60 | 60 | 10 | 70 | 70 | 61 | 61 | 45 | 3,000 |" in outcome.section


@pytest.mark.parametrize(
    ("workload", "changed", "sentence"),
    [
        (calls.ONE_DAY, {"reads": 11}, "71 calls to Xero for 1,000 orders in a day, goal 70"),
        (calls.CHANGES, {"writes": 61, "reads": 6}, "67 calls to Xero for 1,000 orders over 31 days"),
        (calls.ONE_DAY, {"forecast": 65}, "the forecast of 1,000 orders in a day is wrong by 6.6 %"),
        (calls.ONE_DAY, {"unchanged_xero": 1}, "1 calls to Xero for 1,000 orders in a day again"),
        (calls.TEN, {"writes": 3, "reads": 4, "unchanged_shopify": 3}, "3 calls to Shopify for a day of 10 new orders"),
    ],
)
def test_a_count_above_its_goal_is_named(workload: Workload, changed: dict[str, int], sentence: str) -> None:
    outcome = outcome_of({workload: replace(GOOD, **changed)})
    assert outcome.exceeded
    assert sentence in outcome.goals
