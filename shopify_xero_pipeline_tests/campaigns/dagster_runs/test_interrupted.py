"""Runs that crash in the middle of a load, and the next ones, which finish the work exactly once."""

from datetime import timedelta

import pytest

from shopify_xero_pipeline_tests.campaigns.dagster_runs import scenarios
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import House
from shopify_xero_pipeline_tests.campaigns.dagster_runs.judge import Judge
from shopify_xero_pipeline_tests.campaigns.dagster_runs.sandbox import OPENED

pytestmark = [pytest.mark.campaign, pytest.mark.long]
FIRST, NEXT = OPENED, OPENED + timedelta(days=1)


def test_what_a_cancelled_run_and_a_dead_host_left_behind_is_finished_by_the_next_runs(
    house: House, judge: Judge
) -> None:
    scenarios.cancel(house, FIRST, "/Invoices", "slow")
    scenarios.host_lost(house, FIRST, "/Payments", "late")
    assert judge.sees_each_record_once(FIRST, NEXT)
