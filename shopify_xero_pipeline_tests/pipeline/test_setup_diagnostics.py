"""What doctor finds of a set-up, stage by stage; the broken ones stand in `set_ups/cases.py`."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.pipeline.setup_diagnostics import Check, SetupDiagnostics, Status, failed, has_failed
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=1))) as stage:
        yield stage


def looked(stage: Stage) -> dict[str, Check]:
    return {check.name: check for check in SetupDiagnostics(stage.sync_service, {}).run()}


def test_it_says_who_is_on_either_side(stage: Stage) -> None:
    found = looked(stage)
    assert {check.status for check in found.values()} == {Status.PASS}
    said = {name: check.message for name, check in found.items() if name not in ("books.yaml", "state store")}
    assert said == {
        "credentials": "set for both sides",
        "Shopify": "sandbox.myshopify.com, NZD, Pacific/Auckland",
        "Xero": "Demo Company (NZ), NZD",
        "clock": "agrees with Xero's to within a minute",
        "books.yaml: Xero": "fits Demo Company (NZ)",
        "newest orders": "14 of the newest 14 orders can be posted, 0 are blocked",
    }
    assert stage.size() == 0


def test_a_side_that_does_not_answer_hides_nothing_of_the_other(stage: Stage, tmp_path: Path) -> None:
    stage.environ["BOOKS_FILE"] = books_file(tmp_path, ('sales: "200"', 'sales: "999"'))
    stage.restart()
    stage.sandbox.faults.add(Fault(kind=FaultKind.UNREACHABLE, path="/admin/", times=None))
    found = looked(stage)
    assert {name for name, check in found.items() if check.status is Status.FAIL} == {
        "Shopify",
        "books.yaml: accounts.sales",
    }
    assert found["Shopify"].remedy.startswith("Check the network and try again.")
    assert found["books.yaml: accounts.sales"].remedy == "create it in Xero, or name another in books.yaml"
    stage.sandbox.faults.clear()
    stage.sandbox.faults.add(Fault(kind=FaultKind.UNREACHABLE, path="/api.xro/", times=None))
    found = looked(stage)
    assert (found["Shopify"].status, found["Xero"].status) == (Status.PASS, Status.FAIL)
    assert "books.yaml: accounts.sales" not in found


def test_a_kind_of_record_that_may_not_be_read_is_named(stage: Stage) -> None:
    stage.sandbox.faults.add(
        Fault(kind=FaultKind.ANSWER, method="GET", path="/Payments", status=401, answer="{}", times=None)
    )
    found = looked(stage)
    assert found["Xero: payments"].status is Status.FAIL
    assert "newest orders" not in found


def test_a_clock_that_is_wrong_is_a_warning(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1)), ahead=timedelta(days=2)) as stage:
        clock = looked(stage)["clock"]
    assert clock == Check(
        "clock",
        Status.WARN,
        "the clock of this machine is 2 days ahead of Xero's",
        "set it with a time server (chrony, systemd-timesyncd)",
    )


@pytest.mark.parametrize(
    ("message", "says", "remedy"),
    [
        ("It is wrong. Do this. Then that.", "It is wrong", "Do this. Then that."),
        ("books.yaml: sales is empty: write a code", "books.yaml: sales is empty", "write a code"),
        ("It is wrong", "It is wrong", ""),
    ],
)
def test_a_message_is_parted_into_what_is_wrong_and_what_to_do(message: str, says: str, remedy: str) -> None:
    assert failed("one", message) == Check("one", Status.FAIL, says, remedy)


def test_one_failure_is_enough() -> None:
    checks = [Check("a", Status.PASS, ""), Check("b", Status.WARN, ""), Check("c", Status.FAIL, "")]
    assert (has_failed(checks), has_failed(checks[:2])) == (True, False)
    assert (has_failed(checks, ["c"]), has_failed(checks, ["a", "b"])) == (True, False)
