"""B25 and B26: payments, refunds and allocations."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline_tests.sandbox.xero.caller import (
    ZERO_GUID,
    Caller,
    invoice,
    line,
    messages,
    ok,
    payment,
    read,
    refund,
    refusal,
)

EXCEEDS = "Payment amount exceeds the amount outstanding on this document"
TOO_MUCH = "Credit Note cannot be allocated as amount is greater than amount outstanding"
NOT_AUTHORISED = "Payments can only be made against Authorised documents"


# B25 payments


def test_a_second_put_of_the_same_payment_is_not_refused_while_enough_is_due(xero: Caller) -> None:
    xero.invoiced()
    for _ in range(2):
        ok(xero.put("Payments", payment(amount=50)))
    assert len(xero.books.payments) == 2
    assert refusal(xero.put("Payments", payment(amount=50))) == [EXCEEDS]


def test_a_payment_answers_with_its_account_and_its_document(xero: Caller) -> None:
    made = xero.invoiced()
    paid = ok(xero.put("Payments", payment()))
    assert (paid["PaymentType"], paid["Status"], paid["Reference"]) == ("ACCRECPAYMENT", "AUTHORISED", "shopify:1/1")
    assert (paid["Account"]["Code"], paid["Account"]["Name"]) == ("601", "Shopify Payments Clearing")
    assert (paid["Invoice"]["InvoiceID"], paid["Invoice"]["InvoiceNumber"]) == (made["InvoiceID"], "SH-1")
    assert (paid["Date"], paid["Amount"], paid["HasValidationErrors"]) == ("/Date(1790035200000+0000)/", 115, False)
    assert xero.get(f"Payments/{paid['PaymentID']}")["Payments"][0]["Amount"] == 115


def test_a_document_and_an_account_may_be_named_in_several_ways(xero: Caller) -> None:
    made = xero.invoiced()
    account = xero.books.account("601")
    assert account
    documents: list[dict[str, Any]] = [
        {"Invoice": {"InvoiceID": made["InvoiceID"]}},
        {"Invoice": {"InvoiceNumber": "SH-1"}},
        {"Invoice": None, "InvoiceNumber": "SH-1"},
    ]
    accounts: list[dict[str, Any]] = [
        {"Account": {"AccountID": account["AccountID"]}},
        {"Account": {"Code": "830"}},
        {"Account": None, "Code": "601"},
    ]
    for document, paid_to in zip(documents, accounts, strict=True):
        ok(xero.put("Payments", payment(amount=1) | document | paid_to))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Invoice": {"InvoiceNumber": "SH-404"}}, "Document could not be found"),
        ({"Invoice": None}, "Document could not be found"),
        ({"Account": None}, "You must specify an Account code or Account ID for the payment"),
        ({"Account": {"Code": "999"}}, "Account could not be found"),
        ({"Account": {"Code": "200"}}, "Account type is invalid for making a payment to/from."),
        ({"Amount": "115.01"}, EXCEEDS),
        ({"Amount": 0}, "Payment amount must be greater than zero"),
        ({"Amount": -1}, "Payment amount must be greater than zero"),
        ({"Amount": None}, "Payment amount must be greater than zero"),
        ({"Date": "soon"}, "Date must be a date."),
    ],
)
def test_a_payment_that_breaks_a_rule_is_refused(xero: Caller, fields: dict[str, Any], words: str) -> None:
    xero.invoiced()
    (element,) = xero.put("Payments", payment(**fields))
    assert (element["PaymentID"], element["HasValidationErrors"]) == (ZERO_GUID, True)
    assert messages(element) == [words]


def test_an_archived_account_takes_no_payment(xero: Caller) -> None:
    xero.invoiced()
    xero.person.archive_account("601")
    assert refusal(xero.put("Payments", payment())) == ["Account type is invalid for making a payment to/from."]


def test_a_bank_account_takes_payments_although_it_says_it_does_not(xero: Caller) -> None:
    xero.invoiced()
    account = xero.books.account("601")
    assert account
    assert (account["Type"], account["EnablePaymentsToAccount"]) == ("BANK", False)
    ok(xero.put("Payments", payment()))


def test_a_paid_document_answers_with_both_messages_and_a_draft_with_one(xero: Caller) -> None:
    xero.invoiced()
    xero.put("Payments", payment())
    assert refusal(xero.put("Payments", payment(amount=1))) == [EXCEEDS, NOT_AUTHORISED]
    xero.put("Invoices", invoice("SH-2", Status="DRAFT"))
    assert refusal(xero.put("Payments", payment("SH-2", 1))) == [NOT_AUTHORISED]


def test_a_payment_in_a_locked_period_is_refused_and_one_there_not_deleted(xero: Caller) -> None:
    xero.invoiced()
    paid = ok(xero.put("Payments", payment(amount=1)))
    xero.person.set_lock_dates(period=date(2026, 9, 22))
    said = "The document date cannot be before the period lock date, currently set at 22-Sep-2026"
    assert refusal(xero.put("Payments", payment(amount=1))) == [said]
    refused = xero.send("POST", f"Payments/{paid['PaymentID']}", {"Status": "DELETED"})
    assert (refused.status_code, messages(refused.json()["Elements"][0])) == (400, [said])


def test_the_accounts_currency_must_fit_the_document(xero: Caller) -> None:
    account = xero.books.account("602")
    assert account
    account["CurrencyCode"] = "USD"
    xero.invoiced()
    assert refusal(xero.put("Payments", payment(Account={"Code": "602"})))
    xero.invoiced("SH-2", CurrencyCode="USD")
    ok(xero.put("Payments", payment("SH-2", Account={"Code": "602"})))


def test_a_post_to_the_collection_makes_one_payment_and_knows_no_summarize_errors(xero: Caller) -> None:
    xero.invoiced()
    sent = {"Payments": [payment(amount=10), payment(amount=20)]}
    answer = xero.send("POST", "Payments", sent, summarizeErrors="false")
    assert [each["Amount"] for each in read(answer)["Payments"]] == [10]
    assert "StatusAttributeString" not in answer.json()["Payments"][0]
    refused = xero.send("POST", "Payments", payment(amount=500), summarizeErrors="false")
    assert (refused.status_code, messages(refused.json()["Elements"][0])) == (400, [EXCEEDS])


def test_a_deleted_payment_stays_listed_and_is_deleted_once_only(xero: Caller) -> None:
    xero.invoiced()
    paid = ok(xero.put("Payments", payment()))
    path = f"Payments/{paid['PaymentID']}"
    xero.clock.sleep(60)
    deleted = xero.send("POST", path, {"Status": "DELETED"})
    assert (deleted.status_code, deleted.json()["Payments"][0]["Status"]) == (200, "DELETED")
    (listed,) = xero.get("Payments", page=1)["Payments"]
    assert (listed["Status"], listed["UpdatedDateUTCString"]) == ("DELETED", "2026-09-21T00:01:00Z")
    assert xero.get("Invoices/SH-1")["Invoices"][0]["AmountDue"] == 115
    assert xero.send("POST", path, {"Status": "DELETED"}).status_code == 400
    assert xero.send("POST", path, {"Status": "AUTHORISED"}).status_code == 400


def test_a_payment_without_a_date_is_made_today(xero: Caller) -> None:
    xero.invoiced()
    assert ok(xero.put("Payments", payment(Date=None)))["Date"] == "/Date(1789948800000+0000)/"


# B26 credit notes


def _allocate(xero: Caller, amount: Any, number: str = "SH-1", **fields: Any) -> list[Any]:
    return xero.put("CreditNotes/CR-1/Allocations", {"Amount": amount, "Invoice": {"InvoiceNumber": number}, **fields})


def test_a_refund_of_a_credit_note_stands_under_invoice_and_lowers_the_remaining_credit(xero: Caller) -> None:
    made = xero.credited()
    assert made["RemainingCredit"] == 115
    paid = ok(xero.put("Payments", refund(amount=15)))
    assert paid["PaymentType"] == "ARCREDITPAYMENT"
    assert (paid["Invoice"]["Type"], paid["Invoice"]["InvoiceID"]) == ("ACCRECCREDIT", made["CreditNoteID"])
    assert paid["Invoice"]["InvoiceNumber"] == "CR-1"
    shown = xero.get("CreditNotes/CR-1")["CreditNotes"][0]
    assert (shown["RemainingCredit"], shown["Status"], len(shown["Payments"])) == (100, "AUTHORISED", 1)
    ok(xero.put("Payments", refund(amount=100, CreditNote={"CreditNoteID": made["CreditNoteID"]})))
    assert xero.get("CreditNotes/CR-1")["CreditNotes"][0]["Status"] == "PAID"
    assert refusal(xero.put("Payments", refund(amount=1))) == [EXCEEDS, NOT_AUTHORISED]


def test_a_refund_names_its_document_as_what_it_is(xero: Caller) -> None:
    made = xero.credited()
    wrong = refund(CreditNote=None, Invoice={"InvoiceID": made["CreditNoteID"]})
    assert refusal(xero.put("Payments", wrong)) == ["Document could not be found"]
    ok(xero.put("Payments", refund(CreditNote=None, CreditNoteNumber="CR-1")))


def test_an_allocation_moves_both_sides(xero: Caller) -> None:
    made, credit = xero.invoiced(), xero.credited()
    (allocation,) = _allocate(xero, 15)
    assert (allocation["Amount"], allocation["Invoice"]["InvoiceID"]) == (15, made["InvoiceID"])
    assert allocation["CreditNote"]["CreditNoteID"] == credit["CreditNoteID"]
    assert allocation["Date"] == credit["Date"]  # the later of the two documents' dates
    shown = xero.get("Invoices/SH-1")["Invoices"][0]
    assert (shown["AmountDue"], shown["AmountCredited"], shown["Status"]) == (100, 15, "AUTHORISED")
    assert [each["CreditNoteNumber"] for each in shown["CreditNotes"]] == ["CR-1"]
    shown = xero.get("CreditNotes/CR-1")["CreditNotes"][0]
    assert (shown["RemainingCredit"], shown["Allocations"][0]["AllocationID"]) == (100, allocation["AllocationID"])
    assert xero.get("CreditNotes/CR-1/Allocations")["Allocations"][0]["Amount"] == 15
    _allocate(xero, 100)
    for path in ("Invoices/SH-1", "CreditNotes/CR-1"):
        (shown,) = xero.get(path)[path.split("/")[0]]
        assert (shown["Status"], "FullyPaidOnDate" in shown) == ("PAID", True)


def test_a_deleted_allocation_is_answered_as_a_collection_and_opens_both_sides(xero: Caller) -> None:
    """As people report it: XeroAPI/xero-php-oauth2 #341, XeroAPI/xero-python #159."""
    made, credit = xero.invoiced(), xero.credited()
    allocation = _allocate(xero, 115)[0]["AllocationID"]
    answer = xero.send("DELETE", f"CreditNotes/{credit['CreditNoteID']}/Allocations/{allocation}").json()
    assert answer["Status"] == "OK"
    (shown,) = answer["Allocations"]
    assert (shown["AllocationID"], shown["Amount"], shown["IsDeleted"]) == (allocation, 115, True)
    assert shown["Invoice"]["InvoiceID"] == made["InvoiceID"]
    assert xero.get("Invoices/SH-1")["Invoices"][0]["Status"] == "AUTHORISED"
    assert xero.get("CreditNotes/CR-1")["CreditNotes"][0]["RemainingCredit"] == 115
    assert xero.send("DELETE", f"CreditNotes/CR-1/Allocations/{allocation}").status_code == 404


def test_a_deleted_allocation_is_answered_as_xero_describes_it_if_wanted() -> None:
    xero = Caller(allocation_deletion="object")
    made, credit = xero.invoiced(), xero.credited()
    allocation = _allocate(xero, 115)[0]["AllocationID"]
    answer = xero.send("DELETE", f"CreditNotes/{credit['CreditNoteID']}/Allocations/{allocation}")
    assert answer.json() == {
        "AllocationId": allocation,
        "Date": "/Date(1790035200000+0000)/",
        "Invoice": [{"InvoiceID": made["InvoiceID"]}],
        "IsDeleted": True,
    }
    assert xero.get("CreditNotes/CR-1")["CreditNotes"][0]["RemainingCredit"] == 115


def test_an_allocation_in_a_locked_period_stays(xero: Caller) -> None:
    xero.invoiced()
    xero.credited()
    allocation = _allocate(xero, 15)[0]["AllocationID"]
    xero.person.set_lock_dates(period=date(2026, 9, 22))
    assert xero.send("DELETE", f"CreditNotes/CR-1/Allocations/{allocation}").status_code == 400
    assert "period lock date" in refusal(_allocate(xero, 15))[0]


@pytest.mark.parametrize(
    ("other", "amount", "words"),
    [
        ({}, "115.01", TOO_MUCH),
        ({}, 0, "Amount must be greater than zero"),
        ({"LineItems": [line(UnitAmount=10)]}, 12, TOO_MUCH),
        ({"Contact": {"Name": "Bob"}}, 1, "Credit Note and Invoice must have the same contact"),
        ({"CurrencyCode": "USD"}, 1, "Credit Note and Invoice must have the same currency"),
        ({"Status": "DRAFT"}, 1, "Credit Notes can only be allocated to Authorised documents"),
    ],
)
def test_an_allocation_that_breaks_a_rule_is_refused(
    xero: Caller, other: dict[str, Any], amount: Any, words: str
) -> None:
    xero.invoiced(**other)
    xero.credited()
    assert refusal(_allocate(xero, amount)) == [words]


def test_a_paid_invoice_takes_no_allocation_nor_does_a_credit_note(xero: Caller) -> None:
    xero.invoiced()
    xero.put("Payments", payment())
    xero.credited()
    assert refusal(_allocate(xero, 1)) == ["The invoice you are trying to allocate to has already been paid off"]
    other = xero.credited("CR-2")["CreditNoteID"]
    sent = {"Amount": 1, "Invoice": {"InvoiceID": other}}
    said = refusal(xero.put("CreditNotes/CR-1/Allocations", sent))
    assert said == ["Credit Note cannot be allocated to an incorrect invoice type"]
    assert refusal(_allocate(xero, 1, "SH-404")) == ["Document could not be found"]


def test_a_draft_credit_note_is_not_allocated(xero: Caller) -> None:
    xero.invoiced()
    xero.credited(Status="DRAFT")
    assert refusal(_allocate(xero, 1)) == ["Credit Note not of valid status for allocation"]


def test_an_allocation_summarizes_errors_unless_told(xero: Caller) -> None:
    xero.invoiced()
    xero.credited()
    sent = {"Allocations": [{"Amount": 500, "Invoice": {"InvoiceNumber": "SH-1"}}]}
    assert xero.send("PUT", "CreditNotes/CR-1/Allocations", sent).status_code == 400
    assert xero.send("PUT", "CreditNotes/CR-404/Allocations", sent).status_code == 404


def test_an_invoice_with_credit_on_it_cannot_be_voided(xero: Caller) -> None:
    made = xero.invoiced()["InvoiceID"]
    xero.credited()
    _allocate(xero, Decimal("0.01"))
    assert "VOIDED cannot be applied" in refusal(xero.post("Invoices", {"InvoiceID": made, "Status": "VOIDED"}))[0]
