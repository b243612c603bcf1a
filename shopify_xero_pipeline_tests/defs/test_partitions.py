"""The tags of runs over ranges of days, and the time limit that they give a run."""

from datetime import date, timedelta

import dagster as dg

from shopify_xero_pipeline.defs.partitions import range_tags, run_time_limit

FIRST = date(2026, 9, 21)


def test_a_run_has_the_time_limit_of_the_instance_once_for_each_31_days() -> None:
    limits = {
        days: range_tags(FIRST, FIRST + timedelta(days=days - 1), 600).get(dg.MAX_RUNTIME_SECONDS_TAG)
        for days in (1, 31, 32, 365)
    }
    assert limits == {1: None, 31: None, 32: "1200", 365: "7200"}
    assert range_tags(FIRST, FIRST + timedelta(days=61))[dg.MAX_RUNTIME_SECONDS_TAG] == "7200"


def test_the_watchdog_of_a_run_goes_by_its_tag_as_the_daemon_does() -> None:
    assert run_time_limit(range_tags(FIRST, FIRST + timedelta(days=364), 3_600), 3_600) == 43_200
    assert run_time_limit(range_tags(FIRST, FIRST, 3_600), 3_600) == 3_600
    assert run_time_limit({dg.MAX_RUNTIME_SECONDS_TAG: "soon"}, 600) == 600
