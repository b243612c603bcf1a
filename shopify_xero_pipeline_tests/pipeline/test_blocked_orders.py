"""Orders that no rule covers: no command calls books in agreement without naming them, and none ends with 0.

'Agree' and exit code 0 are for books in which every order is posted, skipped by a rule or waiting by a rule.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.alerts import service
from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.cli.test_verdicts import told
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged

pytestmark = pytest.mark.campaign

LAST = date(2026, 10, 4)
"""A day of the generated shop with two orders whose tax and gateway `books.yaml` does not name."""

SAYS = "the books agree; 2 orders of 282.70 NZD are not in them"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("house")
    with (
        staged(folder, at(LAST + timedelta(days=1), 1)) as stage,
        pytest.MonkeyPatch.context() as patch,
        on_stage(stage, patch),
    ):
        assert invoke("sync", "--day", str(LAST)).exit_code == exit_codes.BLOCKED
        yield stage


@pytest.mark.usefixtures("stage")
def test_a_sync_says_which_orders_are_not_in_the_books_and_ends_with_a_code_of_its_own() -> None:
    code, found, printed = told("sync", "--day", str(LAST))
    assert (code, found["verdict"], found["message"]) == (exit_codes.BLOCKED, "incomplete", SAYS)
    assert printed.rstrip().endswith(SAYS)
    blocked = [one for one in found["listed_orders"] if one["outcome"] == "blocked"]
    assert [(one["order_name"], one["sales"], one["currency"]) for one in blocked] == [
        ("#1142", "248.89", "NZD"),
        ("#1148", "33.81", "NZD"),
    ]
    assert blocked[1]["reason"] == "no account for money through mystery_pay"
    assert blocked[1]["remedy"].startswith(
        "if it is paid into 604 Manual Payments Clearing, add to books.yaml under payments"
    )
    assert printed.count(blocked[1]["reason"]) == 1


@pytest.mark.usefixtures("stage")
def test_a_plan_names_them_with_reason_and_remedy() -> None:
    code, found, printed = told("plan", "--day", str(LAST))
    assert code == exit_codes.BLOCKED
    assert [(one["order_name"], one["outcome"]) for one in found["listed_orders"]] == [
        ("#1142", "blocked"),
        ("#1148", "blocked"),
    ]
    assert all(one["reason"] and one["remedy"] for one in found["listed_orders"])
    assert printed.count("no account for money through mystery_pay") == 1


@pytest.mark.usefixtures("stage")
def test_status_and_the_month_say_the_same() -> None:
    code, found, printed = told("status")
    assert (code, found["verdict"], found["message"]) == (exit_codes.BLOCKED, "incomplete", SAYS)
    assert printed.rstrip().endswith(SAYS)
    code, month, printed = told("status", "--month", "2026-10")
    assert (code, month["verdict"], month["agrees"]) == (exit_codes.BLOCKED, "incomplete", False)
    says = "2026-10 agrees; 2 orders of 282.70 NZD are not in it; 4 days are not compared yet"
    assert (month["message"], printed.rstrip().endswith(says)) == (says, True)


@pytest.mark.usefixtures("stage")
def test_one_order_that_is_blocked_has_the_same_code() -> None:
    result = invoke("status", "#1148")
    assert (result.exit_code, "no account for money through mystery_pay" in result.stdout) == (3, True)


@pytest.mark.usefixtures("stage")
def test_the_doctor_notes_them_beside_the_promise_that_the_books_agree() -> None:
    code, found, printed = told("doctor", "--offline")
    assert (code, found["I9"]["broken"]) == (exit_codes.BLOCKED, [])
    assert found["I9"]["noted"] == ["2026-10-04: 2 orders of 282.70 NZD are not in the books"]
    assert "2 orders of 282.70 NZD are not in the books" in printed


def test_an_alert_names_them(stage: Stage, instance: dg.DagsterInstance) -> None:
    causes = service.AlertService(stage.sync_service, InstanceHistory(instance)).current_alerts()
    (cause,) = [one for one in causes if one.key.startswith("blocked")]
    assert cause.summary.startswith("2 orders of 282.70 NZD are not in the books")
    assert "#1142, #1148" in cause.summary
    assert (cause.key, cause.location, "status" in cause.action) == ("blocked:2026-10-04", "2026-10-04", True)


def test_the_check_of_the_day_says_so_in_the_ui(stage: Stage, instance: dg.DagsterInstance) -> None:
    stage.runner(instance).sync([LAST])
    key = dg.AssetCheckKey(dg.AssetKey(["books", "reconciliation"]), "every_order_accounted_for")
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    event = record.event
    assert event is not None
    assert event.dagster_event is not None
    assert event.dagster_event.asset_check_evaluation_data.description == (
        "11 checked, no failures; 2 orders of 282.70 NZD are blocked and not in the books: #1142, #1148"
    )
