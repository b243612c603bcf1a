"""The verdict on the books as every command gives it: words, JSON and exit code never contradict each other."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.alerts import facts, service
from shopify_xero_pipeline.alerts.rules import FailedCheck
from shopify_xero_pipeline.cli import exit_codes, job_runner
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

pytestmark = pytest.mark.campaign


def told(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """Run a command and return its exit code, its JSON and what it printed."""
    result = invoke(*arguments, "--json", "-")
    return result.exit_code, json.loads(result.stdout), result.stderr


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage, on_stage(stage, monkeypatch):
        yield stage


def test_what_says_no_shows_the_figure_that_is_not_zero_everywhere(stage: Stage) -> None:
    """A person moves a line of an Invoice of 84.00 to another account: totals stay, accounts differ."""
    assert invoke("sync", "--day", "2026-09-21").exit_code == 0
    document = stage.person.invoice("SH-1002")
    stage.person.edit_document(document, lines=[_on_account(one, "260") for one in document.lines])
    stage.clock.sleep(25 * 3_600)
    code, found, printed = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["unequal"]) == (1, "disagree", 1)
    assert found["difference"] == found["differences"]["NZD"] != "0.00"
    says = f"the books do not agree yet: 1 order differs by {found['difference']} NZD"
    assert found["message"] == says
    assert printed.rstrip().endswith(says)
    assert f"difference {found['difference']} NZD" in printed
    (order,) = [one for one in found["listed_orders"] if one["outcome"] == "posted"]
    assert (order["order_name"], order["difference"]) == ("#1002", found["difference"])
    code, status, _ = told("status")
    assert (code, status["verdict"]) == (1, "disagree")
    code, examined, _ = told("doctor", "--offline")
    assert (code, examined["I9"]["broken"]) == (1, [f"2026-09-21: 1 order differs by {found['difference']} NZD"])


def _on_account(line: Any, code: str) -> Any:
    import msgspec

    return msgspec.structs.replace(line, account_code=code)


def without_payments(stage: Stage) -> None:
    """Sync the first day while Xero takes no Payments."""
    away = Fault(kind=FaultKind.ANSWER, method="PUT", path="/Payments", status=503, times=None)
    stage.sandbox.faults.add(away)


def test_an_item_that_xero_refuses_for_good_is_in_the_verdict_of_sync_and_status_until_a_person_decides(
    stage: Stage,
) -> None:
    """Every order is posted, two lines of them without the code of the Item."""
    said = "The record is not acceptable to this organisation"
    refusal = Fault(kind=FaultKind.REFUSED, method="PUT", path="/Items", body="PC-01", answer=said, times=None)
    stage.sandbox.faults.add(refusal)
    code, found, printed = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["posted"], found["failed"]) == (1, "disagree", 9, 0)
    assert found["message"] == "the books do not agree yet: 1 record failed: item PC-01"
    ((kind, reason),) = [(one["kind"], one["reason"]) for one in found["failed_records"]]
    assert (kind, said in reason, "item PC-01" in printed) == ("item", True, True)
    code, status, _ = told("status")
    assert (code, status["message"]) == (1, found["message"])
    assert invoke("dismiss", "--key", "PC-01", "--because", "sold without a code").exit_code == 0
    assert told("sync", "--day", "2026-09-21")[0] == told("status")[0] == 0


def test_what_is_only_postponed_ends_with_the_code_to_come_again(stage: Stage) -> None:
    without_payments(stage)
    code, found, printed = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["failed"], found["unequal"]) == (exit_codes.RETRY_LATER, "unfinished", 0, 0)
    assert found["postponed"] == 9
    assert "9 orders of" in found["message"]
    assert "are not written yet" in found["message"]
    (first, *_) = [one for one in found["listed_orders"] if one["outcome"] == "postponed"]
    assert "run the day again later" in first["remedy"]
    assert "postponed 9" in printed
    assert told("status")[0] == exit_codes.RETRY_LATER
    here, elsewhere = (FailedCheck("xero/payments", "all_loaded", day) for day in (FIRST, FIRST + timedelta(days=1)))
    assert facts.exclude_unfinished_days([here, elsewhere], stage.sync_service.connections.store) == [elsewhere], (
        "a later run goes on by itself"
    )
    stage.sandbox.faults.clear()
    stage.clock.sleep(700)
    assert told("sync", "--day", "2026-09-21")[0] == 0


def test_a_conflict_is_over_as_soon_as_theirs_is_removed_and_the_day_is_run_again(stage: Stage) -> None:
    without_payments(stage)
    told("sync", "--day", "2026-09-21")
    stage.sandbox.faults.clear()
    invoice = stage.person.invoice("SH-1002")
    stage.person.pay(invoice, invoice.total / 2, "602", FIRST, "bank feed")
    stage.clock.sleep(25 * 3_600)
    assert told("sync", "--day", "2026-09-21")[1]["conflict"] == 1

    (theirs,) = [one for one in stage.sandbox.books.payments.values() if one.reference == "bank feed"]
    stage.person.delete_payment(theirs)
    stage.clock.sleep(5)
    code, found, _ = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["conflict"], found["posted"]) == (0, "agree", 0, 9)


def test_every_conflict_stands_in_status_with_both_sides_and_what_to_do(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    """A person puts money on an Invoice before ours is there (reported case 11b, ten minutes later)."""
    without_payments(stage)
    told("sync", "--day", "2026-09-21")
    stage.sandbox.faults.clear()
    invoice = stage.person.invoice("SH-1002")
    stage.person.pay(invoice, invoice.total / 2, "602", FIRST, "bank feed")
    half = f"{invoice.total / 2:.2f}"
    stage.clock.sleep(25 * 3_600)

    code, found, printed = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["conflict"]) == (1, "disagree", 1)
    assert "1 order of" in found["message"]
    assert "in conflict with what a person did in Xero" in found["message"]
    assert "a person entered money on SH-1002 in Xero" in printed

    code, status, printed = told("status")
    assert (code, status["verdict"], status["failed_records"]) == (1, "disagree", [])
    theirs, ours = sorted(status["conflicts"], key=lambda one: one["in_xero"] == {})
    assert (theirs["order"], theirs["in_xero"]["account"]) == ("#1002", "602")
    assert f"{float(theirs['in_xero']['amount']):.2f}" == half
    assert (ours["order"], ours["amount"], ours["in_xero"]) == ("#1002", str(invoice.total), {})
    for one in (theirs, ours):
        assert one["reason"].startswith("a person entered")
        assert one["remedy"].endswith("or leave it as it is: shopify-xero dismiss --key '#1002' --because TEXT")
    assert "remove theirs in Xero" in theirs["remedy"]
    for words in (
        "in Xero    amount",
        "by Shopify nothing",
        f"by Shopify {invoice.total:,.2f} NZD",
        "what to do compare",
    ):
        assert words in printed
    assert printed.count(ours["reason"]) == 1

    causes = service.AlertService(stage.sync_service, InstanceHistory(instance)).current_alerts()
    (cause,) = [one for one in causes if one.key.startswith("conflict")]
    assert cause.summary == "2 records in conflict with a change that a person made in Xero: #1002."
    assert "`shopify-xero status` for both sides" in cause.action
    order = invoke("status", "#1002")
    assert (order.exit_code, "by Shopify nothing" in order.stdout) == (1, True)

    stage.person.delete_payment(
        next(one for one in stage.sandbox.books.payments.values() if one.reference == "bank feed")
    )
    stage.clock.sleep(25 * 3_600)
    assert told("sync", "--day", "2026-09-21")[0] == 0
    assert told("status")[1]["conflicts"] == []


def test_a_document_that_a_person_voided_stands_in_status_with_what_to_do(stage: Stage) -> None:
    assert invoke("sync", "--day", "2026-09-21").exit_code == 0
    invoice = stage.person.invoice("SH-1002")
    stage.person.void_document(invoice)
    stage.clock.sleep(25 * 3_600)
    code, found, _ = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["lost"]) == (1, "disagree", 2)
    assert f"1 order differs by {invoice.total} NZD, 2 records gone from Xero" in found["message"]
    code, status, printed = told("status")
    records = [(one["kind"], one["order"]) for one in status["conflicts"]]
    assert (code, records) == (1, [("invoice", "#1002"), ("payment", "#1002")])
    assert all("by a person" in one["reason"] and one["remedy"] and one["page"] for one in status["conflicts"])
    assert "Xero cannot restore it" in printed
    assert "or leave it as it is: shopify-xero dismiss --key '#1002' --because TEXT" in printed


def test_a_run_beside_another_one_is_told_to_come_again(stage: Stage, instance: dg.DagsterInstance) -> None:
    instance.add_run(dg.DagsterRun(job_name="sync", run_id="0" * 36, status=dg.DagsterRunStatus.STARTED))

    with patch.object(job_runner, "dagster_instance", lambda: nullcontext(instance)):
        result = invoke("sync", "--day", "2026-09-21")
    assert (result.exit_code, "is using the pool xero" in result.stderr) == (exit_codes.RETRY_LATER, True)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind=FaultKind.UNREACHABLE, path="/admin/", times=None), "could not be reached"),
        (Fault(kind=FaultKind.UNREACHABLE, path="/connect/token", times=None), "Xero"),
        (
            Fault(kind=FaultKind.DAY_LIMIT, path="/api.xro", retry_after=3_600, times=None),
            "accepts no more calls before",
        ),
    ],
)
def test_a_side_that_is_not_there_and_a_day_that_is_used_up_are_told_to_come_again(
    stage: Stage, fault: Fault, said: str
) -> None:
    stage.sandbox.faults.add(fault)
    code, found, printed = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"]) == (exit_codes.RETRY_LATER, "unfinished")
    assert said in found["failures"][0]
    assert printed.count("failed: ") == 1


def test_a_step_that_a_setting_stops_ends_with_2_and_no_day_is_compared(stage: Stage) -> None:
    stage.environ["SHOPIFY_ACCESS_TOKEN"] = "not-the-secret"
    stage.restart()
    code, found, _ = told("sync", "--day", "2026-09-21")
    assert (code, found["verdict"], found["days"]) == (exit_codes.FIX_SETTING, "disagree", 0)


def test_the_codes_are_those_that_the_documentation_names() -> None:
    page = (Path(cli.__file__).parents[2] / "docs" / "exit_codes.md").read_text()
    codes = {name: value for name, value in vars(exit_codes).items() if type(value) is int}
    assert sorted(codes.values()) == [0, 1, 2, 3, 70, 75]
    for code in codes.values():
        assert f"| {code} |" in page
