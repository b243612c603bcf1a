"""`status --month` over a fortnight of a generated shop, carried to Xero: it reconciles, until a person interferes."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

pytestmark = pytest.mark.campaign

DAYS = [FIRST + timedelta(days=number) for number in range(14)]
LAST = DAYS[-1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """All but the last day of the fortnight are in Xero."""
    folder: Path = tmp_path_factory.mktemp("house")
    with staged(folder, at(LAST, 23)) as stage, pytest.MonkeyPatch.context() as patch, on_stage(stage, patch):
        carry(stage.sync_service, DAYS[:-1])
        yield stage


def month(name: str, code: int) -> dict[str, Any]:
    result = invoke("status", "--month", name, "--json", "-")
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def line(found: dict[str, Any], side: str, what: str, account: str = "") -> tuple[str, str, str]:
    (statement,) = found["statements"]
    (one,) = [
        each for each in statement["lines"]
        if (each["side"], each["what"]) == (side, what) and each["account"].startswith(account)
    ]  # fmt: skip
    return one["shopify"], one["mapping"], one["xero"]


def test_both_months_of_a_fortnight_reconcile_to_the_cent_and_cost_no_call(stage: Stage) -> None:
    calls = stage.sync_service.connections.calls
    months = [month("2026-09", exit_codes.SUCCESS), month("2026-10", exit_codes.RETRY_LATER)]
    assert stage.sync_service.connections.calls == calls
    for found in months:
        (statement,) = found["statements"]
        compared = [one for one in statement["lines"] if one["xero"] is not None]
        assert {one["shopify"] == one["mapping"] == one["xero"] for one in compared} == {True}
        assert all(one["agrees"] for one in statement["identities"])
        assert (statement["broken"], found["not_equal"]) == ([], [])
        assert {one["side"] for one in compared} == {
            "sales", "tax", "documents", "payments", "refunds", "outstanding"
        }  # fmt: skip
    assert (months[0]["compared"], months[0]["not_compared"]) == (10, [])
    assert (months[1]["compared"], months[1]["not_compared"]) == (3, [str(LAST)])
    assert [(one["verdict"], one["agrees"], one["message"]) for one in months] == [
        ("agree", True, "2026-09 agrees"),
        ("unfinished", False, "2026-10 agrees; 1 day is not compared yet"),
    ]
    assert line(months[0], "outstanding", "owed after") == line(months[1], "outstanding", "owed before")
    closing, opening = months[0]["gift_cards"][0]["lines"], months[1]["gift_cards"][0]["lines"]
    assert (closing[4]["what"], opening[0]["what"]) == ("closing", "opening")
    assert closing[4]["xero"] == closing[4]["shopify"] == opening[0]["xero"] == opening[0]["shopify"]


def test_the_documents_of_the_months_are_those_that_stand_in_xero_with_their_dates(stage: Stage) -> None:
    """Counted in the sandbox's own books, which no column is read from."""
    for first, name, code in ((date(2026, 9, 1), "2026-09", 0), (date(2026, 10, 1), "2026-10", exit_codes.RETRY_LATER)):
        documents = [one for one in stage.sandbox.books.documents.values() if one.date.month == first.month]
        invoices = sum((one.total for one in documents if not one.is_credit_note), Decimal(0))
        notes = sum((one.total for one in documents if one.is_credit_note), Decimal(0))
        found = month(name, code)
        assert line(found, "documents", "invoices") == (str(invoices),) * 3
        assert line(found, "documents", "credit notes") == (str(-notes),) * 3


def test_a_month_is_printed_for_people(stage: Stage) -> None:
    shown = invoke("status", "--month", "2026-09").stdout
    assert "2026-09 in NZD" in shown
    assert "830 Gift Card Liability in NZD" in shown
    assert "orders that are not posted or differ" in shown
    assert shown.rstrip().endswith("2026-09 agrees")


def test_a_month_that_is_none_or_has_nothing_is_said_so(stage: Stage) -> None:
    empty = invoke("status", "--month", "2026-11")
    assert (empty.exit_code, empty.stdout) == (
        exit_codes.RETRY_LATER, "nothing is known of 2026-11: none of its days has been compared yet\n"
    )  # fmt: skip
    wrong = invoke("status", "--month", "November")
    assert wrong.exit_code == 2
    assert "'November' does not match the format '%Y-%m'" in wrong.stderr


def test_an_order_that_a_person_changed_is_named_and_a_persons_own_gift_card_is_not_a_difference(
    stage: Stage,
) -> None:
    """Last in this module, as it changes what the others look at."""
    stage.person.enter_invoice(
        {
            "Type": "ACCREC",
            "InvoiceNumber": "INV-0007",
            "Contact": {"Name": "Somebody else"},
            "Date": "2026-09-24",
            "DueDate": "2026-09-24",
            "Status": "AUTHORISED",
            "LineAmountTypes": "NoTax",
            "LineItems": [{"Description": "Gift card", "Quantity": 1, "UnitAmount": 35, "AccountCode": "830"}],
        }
    )
    document = stage.person.invoice("SH-1002")
    first, *others = document.lines
    stage.person.edit_document(document, lines=[msgspec.structs.replace(first, account_code="260"), *others])
    carry(stage.sync_service, [LAST], "the next run")
    stage.sync_service.reconciler.reconcile(stage.sync_service.extractor.read_orders(DAYS))
    found = month("2026-09", 1)
    assert [one["order_name"] for one in found["statements"][0]["broken"]] == ["#1002", "#1002"]
    assert found["gift_cards"][0]["others"] == [
        {"posted": "2026-09-24", "what": "invoice INV-0007", "amount": "35.00", "why": "not booked by this pipeline"}
    ]
    october = month("2026-10", exit_codes.BLOCKED)
    assert (october["verdict"], october["agrees"]) == ("incomplete", False)
    assert october["message"] == "2026-10 agrees; 1 order of 248.89 NZD is not in it"
    printed = invoke("status", "--month", "2026-09").stdout
    assert "2026-09 does not agree yet: 1 order differs by " in printed.splitlines()[-1]
