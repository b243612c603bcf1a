"""Facts in, causes out: each line of the list of what calls for a person, at its edge."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shopify_xero_pipeline.alerts.rules import (
    Facts,
    FailedCheck,
    FailedRun,
    RemainingCalls,
    Severity,
    UndecidedOrders,
    UnpostedOrders,
    api_version_expiry,
    find_alerts,
    p95,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUIET = Facts(now=NOW, api_version="2026-10", last_synced=NOW - timedelta(hours=1))


def keys(**more: Any) -> list[str]:
    return [cause.key for cause in find_alerts(replace(QUIET, **more))]


def test_nothing_calls_where_all_is_well_or_nothing_is_known() -> None:
    assert find_alerts(QUIET) == []
    assert find_alerts(replace(QUIET, last_synced=None)) == []


def test_a_run_that_failed_is_told_with_its_days_and_its_reason() -> None:
    (cause,) = find_alerts(
        replace(QUIET, failed_runs=[FailedRun("sync", "abc-1", (date(2026, 11, 20),), "Shop is locked.")])
    )
    assert cause.key == "run:sync"
    assert cause.summary == "A run of sync failed, and no later run succeeded for the same days. Shop is locked."
    assert (cause.location, cause.page, cause.severity) == ("2026-11-20", "/runs/abc-1", Severity.ERROR)


def test_runs_of_one_job_that_fail_for_hours_are_one_cause() -> None:
    days = [date(2026, 11, day) for day in range(1, 8)]
    (cause,) = find_alerts(replace(QUIET, failed_runs=[FailedRun("sync", f"run-{day}", (day,)) for day in days]))
    assert cause.summary == "7 runs of sync failed, and no later run succeeded for the same days."
    assert cause.location == "2026-11-01, 2026-11-02, 2026-11-03, 2026-11-04, 2026-11-05 and 2 more days"


def test_what_stands_in_xero_without_an_order_is_told_by_day_and_before_the_start_date_as_one() -> None:
    day = date(2026, 11, 20)
    undecided = [
        UndecidedOrders(day, 1),
        UndecidedOrders(date(2026, 11, 21), 2),
        UndecidedOrders(day, 140, before_start=True),
    ]
    found = {cause.key: cause for cause in find_alerts(replace(QUIET, undecided=undecided))}
    assert set(found) == {"orphans:2026-11-20", "orphans:2026-11-21", "orphans:before-start"}
    one = found["orphans:2026-11-20"]
    assert (one.summary, one.location) == (
        "Xero has records of an order that these books do not contain.",
        str(day),
    )
    assert "shopify-xero dismiss" in one.action
    assert found["orphans:2026-11-21"].summary == "Xero has records of 2 orders that these books do not contain."
    assert found["orphans:before-start"].summary == ("Xero has records of 140 orders placed before the start date.")


def test_the_failed_checks_of_a_day_are_one_cause_and_another_day_is_another_one() -> None:
    day, other = date(2026, 11, 20), date(2026, 11, 19)
    failed = [
        FailedCheck("xero/payments", "all_loaded", day),
        FailedCheck("xero/invoices", "all_loaded", day),
        FailedCheck("books/reconciliation", "totals_equal", other),
        FailedCheck("entity_mapping", "no_orphan"),
    ]
    found = {cause.key: cause for cause in find_alerts(replace(QUIET, failed_checks=failed))}
    assert set(found) == {"checks:2026-11-20", "checks:2026-11-19", "checks:mapping"}
    assert (
        found["checks:2026-11-20"].summary
        == "2 checks failed: all_loaded of xero/invoices, all_loaded of xero/payments."
    )
    assert found["checks:2026-11-20"].page == "/assets/xero/invoices?view=checks"
    assert found["checks:mapping"].page == "/assets/entity_mapping?view=checks&checkDetail=no_orphan"
    assert "doctor" in found["checks:mapping"].action


def test_blocked_orders_and_conflicts_are_a_cause_for_each_day_and_point_to_what_explains_them() -> None:
    day = date(2026, 11, 20)
    blocked = UnpostedOrders(day, "4 orders of 433.00 USD are", ("#3000", "#3001"))
    conflict = UnpostedOrders(day, "2 records in conflict", ("#2061",))
    found = {cause.key: cause for cause in find_alerts(replace(QUIET, blocked=[blocked], in_conflict=[conflict]))}
    assert set(found) == {"blocked:2026-11-20", "conflict:2026-11-20"}
    cause = found["blocked:2026-11-20"]
    assert (cause.severity, cause.location) == (Severity.WARNING, "2026-11-20")
    assert cause.summary == (
        "4 orders of 433.00 USD are not in the books because a setting or a rule is missing: #3000, #3001."
    )
    assert (
        found["conflict:2026-11-20"].summary == "2 records in conflict with a change that a person made in Xero: #2061."
    )
    assert all("`shopify-xero status`" in one.action for one in found.values())


@pytest.mark.parametrize(("minutes", "told"), [(15, []), (16, ["unsettled"])])
def test_a_write_may_be_unsettled_for_a_quarter_of_an_hour(minutes: int, told: list[str]) -> None:
    assert keys(unsettled_since=NOW - timedelta(minutes=minutes)) == told


def test_a_sign_in_that_lapses_warns_and_one_that_has_lapsed_is_another_and_graver_cause() -> None:
    (soon,) = find_alerts(replace(QUIET, sign_in="The sign-in to Xero lapses on 2026-11-25."))
    (late,) = find_alerts(replace(QUIET, sign_in="Consent must be renewed.", sign_in_lapsed=True))
    assert (soon.key, soon.severity) == ("consent:lapsing", Severity.WARNING)
    assert (late.key, late.severity) == ("consent:lapsed", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("left", "size", "told"),
    [(100, 1_000, []), (99, 1_000, ["budget"]), (500, 5_000, []), (499, 5_000, ["budget"]), (0, 1_000, ["budget"])],
)
def test_less_than_a_tenth_of_xeros_day_is_told(left: int, size: int, told: list[str]) -> None:
    assert keys(remaining_calls=RemainingCalls(left, size)) == told


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (datetime(2027, 8, 2, 16, 59, tzinfo=UTC), []),
        (datetime(2027, 8, 2, 17, tzinfo=UTC), ["api-version:expiring"]),
        (datetime(2027, 10, 1, 16, 59, tzinfo=UTC), ["api-version:expiring"]),
        (datetime(2027, 10, 1, 17, tzinfo=UTC), ["api-version:expired"]),
    ],
)
def test_the_pinned_api_version_is_told_60_days_before_its_end_and_from_then_on(now: datetime, told: list[str]) -> None:
    assert keys(now=now, last_synced=now) == told


def test_a_version_of_the_turn_of_the_year_ends_a_year_later() -> None:
    assert api_version_expiry("2027-01") == datetime(2028, 1, 1, 17, tzinfo=UTC)


@pytest.mark.parametrize(("hours", "told"), [(24, []), (25, ["nothing-synced"])])
def test_a_day_without_a_sync_is_told(hours: int, told: list[str]) -> None:
    assert keys(last_synced=NOW - timedelta(hours=hours)) == told


@pytest.mark.parametrize(
    ("failed", "tried", "told"),
    [(1, 20, []), (2, 20, ["failure-rate"]), (10, 10, []), (5, 100, []), (6, 100, ["failure-rate"])],
)
def test_more_than_one_failure_in_twenty_is_told_if_there_were_twenty(failed: int, tried: int, told: list[str]) -> None:
    assert keys(failed=failed, attempted=tried) == told


def test_slow_answers_are_told_by_their_95th_percentile() -> None:
    quick, slow = timedelta(seconds=1), timedelta(seconds=9)
    assert p95([timedelta(seconds=n) for n in range(1, 101)]) == timedelta(seconds=95)
    assert keys(durations=[quick] * 19 + [slow]) == []
    assert keys(durations=[quick] * 18 + [slow] * 2) == ["slow"]
    assert keys(durations=[slow] * 19) == []
    assert keys(durations=[timedelta(seconds=5)] * 20) == []


def test_a_store_that_cannot_be_read_is_the_gravest_of_all() -> None:
    found = find_alerts(
        replace(QUIET, store_unreadable="The store is damaged.", remaining_calls=RemainingCalls(1, 1_000))
    )
    assert [(cause.key, cause.severity) for cause in found] == [
        ("store", Severity.CRITICAL),
        ("budget", Severity.WARNING),
    ]


def test_a_clock_that_differs_from_xeros_by_more_than_a_minute_is_told_for_each_host() -> None:
    clocks = {
        "laptop": timedelta(days=40, hours=19, minutes=59),
        "server": timedelta(seconds=60),
        "vm": timedelta(seconds=-61),
    }
    found = find_alerts(replace(QUIET, clocks=clocks))
    assert [cause.key for cause in found] == ["clock:laptop", "clock:vm"]
    assert [cause.summary for cause in found] == [
        "The clock of laptop is 40 days 19 h ahead of Xero's.",
        "The clock of vm is 1 min behind Xero's.",
    ]
