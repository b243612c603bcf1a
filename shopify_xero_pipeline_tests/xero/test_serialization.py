"""Records to Xero's JSON and back, requests and their sizes, and what Xero's words mean. Pure."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.loading import batch_requests, refusals
from shopify_xero_pipeline.loading.batch_requests import JournalledWrite
from shopify_xero_pipeline.state.records import Operation, OperationState
from shopify_xero_pipeline.xero import elements, serialization
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Kind, PostalAddress
from shopify_xero_pipeline_tests.support.records import DAY, allocation, contact, credit_note, invoice, item, payment

NOW = datetime(2026, 9, 22, tzinfo=UTC)


class Ids:
    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        return f"{kind}:{shopify_id}"


def test_a_contact_sends_what_is_known_and_no_blanks() -> None:
    place = PostalAddress(line1="1 Quay St", city="Auckland", postal_code="1010", country="New Zealand")
    sent = serialization.to_xero(contact(phone="021", first_name="Aroha", address=place), Ids(), "xero-1")
    assert sent == {
        "ContactID": "xero-1",
        "ContactNumber": "shopify:1",
        "Name": "Aroha 1",
        "FirstName": "Aroha",
        "EmailAddress": "aroha1@example.com",
        "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "021"}],
        "Addresses": [
            {
                "AddressType": "STREET",
                "AddressLine1": "1 Quay St",
                "City": "Auckland",
                "PostalCode": "1010",
                "Country": "New Zealand",
            }
        ],
    }
    assert serialization.to_xero(contact(email=None), Ids()) == {"ContactNumber": "shopify:1", "Name": "Aroha 1"}


def test_an_item_sends_a_price_only_if_there_is_one() -> None:
    assert serialization.to_xero(item(description="Blue"), Ids()) == {
        "Code": "SKU-1",
        "Name": "Item 1",
        "Description": "Blue",
        "SalesDetails": {"UnitPrice": Decimal("12.3456")},
    }
    assert "SalesDetails" not in serialization.to_xero(item(unit_price=None), Ids())


def test_a_document_names_its_contact_by_id_only_and_never_a_line_amount() -> None:
    discount = {"variant_id": "1", "item_code": "SKU-1", "discount_amount": Decimal("1.50")}
    line = invoice().lines[0].model_copy(update=discount)
    sent = serialization.to_xero(invoice(lines=(line,), url="https://shop.example/1"), Ids())
    assert sent == {
        "Type": "ACCREC",
        "InvoiceNumber": "SH-1001",
        "Reference": "#1001 shopify:1001/1",
        "Contact": {"ContactID": "contact:1"},
        "Date": "2026-09-21",
        "DueDate": "2026-09-21",
        "Url": "https://shop.example/1",
        "LineAmountTypes": "Inclusive",
        "LineItems": [
            {
                "Description": "Jug",
                "Quantity": Decimal(1),
                "UnitAmount": Decimal("115.00"),
                "DiscountAmount": Decimal("1.50"),
                "AccountCode": "200",
                "TaxType": "OUTPUT2",
                "TaxAmount": Decimal("15.00"),
                "ItemCode": "SKU-1",
            }
        ],
        "CurrencyCode": "NZD",
        "Status": "AUTHORISED",
    }
    note = serialization.to_xero(credit_note(), Ids())
    assert (note["Type"], note["CreditNoteNumber"]) == ("ACCRECCREDIT", "SH-1001-R2")
    assert not {"DueDate", "Url"} & set(note)


def test_money_names_what_it_pays() -> None:
    assert serialization.to_xero(payment(invoice()), Ids()) == {
        "Invoice": {"InvoiceID": "invoice:1001/1"},
        "Account": {"Code": "601"},
        "Date": "2026-09-21",
        "Amount": Decimal("115.00"),
        "Reference": "shopify:1001/9",
    }
    assert serialization.to_xero(payment(credit_note()), Ids())["CreditNote"] == {"CreditNoteID": "credit_note:1001/2"}
    assert serialization.to_xero(allocation(credit_note(), invoice()), Ids()) == {
        "Amount": Decimal("23.00"),
        "Date": "2026-09-21",
        "Invoice": {"InvoiceID": "invoice:1001/1"},
    }


def test_a_refund_is_known_by_its_credit_note_wherever_xero_puts_it() -> None:
    theirs = {"Reference": "r", "Invoice": {"InvoiceID": "N-1", "InvoiceNumber": "CN-1", "Type": "ACCRECCREDIT"}}
    ours = {"Reference": "r", "CreditNote": {"CreditNoteID": "n-1", "CreditNoteNumber": "CN-1"}}
    assert Element(Kind.PAYMENT, theirs).correlation_key == Element(Kind.PAYMENT, ours).correlation_key == "r|n-1"
    assert Element(Kind.PAYMENT, theirs).natural_key == Element(Kind.PAYMENT, ours).natural_key == "r|CN-1"


@pytest.mark.parametrize("text", [None, "", elements.NO_ID, "not-a-guid", "12345678-1234-1234-1234-1234567890123"])
def test_only_a_real_id_says_that_something_is_saved(text: str | None) -> None:
    assert Element(Kind.PAYMENT, {"PaymentID": text}).xero_id is None


def test_xeros_instants_are_read_with_and_without_an_offset() -> None:
    assert elements.parse_instant("/Date(1789378199100+0000)/") == datetime(2026, 9, 14, 9, 29, 59, 100_000, tzinfo=UTC)
    assert elements.parse_instant("/Date(1789378199000)/") == datetime(2026, 9, 14, 9, 29, 59, tzinfo=UTC)
    assert elements.parse_instant("2026-09-14") is None


def test_purchases_are_told_from_sales() -> None:
    assert Element(Kind.INVOICE, {"Type": "ACCREC"}).is_sale
    assert not Element(Kind.INVOICE, {"Type": "ACCPAY"}).is_sale
    assert not Element(Kind.PAYMENT, {"PaymentType": "ACCPAYPAYMENT"}).is_sale
    assert Element(Kind.CONTACT, {}).is_sale


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"Total": Decimal("115.00"), "TotalTax": Decimal(15)}, ""),
        ({"Total": 115, "TotalTax": 15}, ""),
        ({"Total": Decimal("115.01"), "TotalTax": Decimal(15)}, "Total 115.01"),
        ({"Total": 115, "TotalTax": Decimal("14.99")}, "TotalTax 14.99"),
        ({"Total": 115}, "TotalTax None"),
        ({"Total": 115, "TotalTax": 15, "Status": "VOIDED"}, "voided"),
    ],
)
def test_a_document_agrees_only_to_the_cent(found: dict[str, object], words: str) -> None:
    problem = serialization.mismatch(invoice(), Element(Kind.INVOICE, found))
    assert words in problem
    assert bool(words) == bool(problem)


def test_an_archived_contact_and_an_item_not_sold_are_not_ours_to_use() -> None:
    assert "archived" in serialization.mismatch(contact(), Element(Kind.CONTACT, {"ContactStatus": "ARCHIVED"}))
    assert "not sold" in serialization.mismatch(item(), Element(Kind.ITEM, {"IsSold": False}))
    assert serialization.mismatch(item(), Element(Kind.ITEM, {"IsSold": True})) == ""


def test_an_update_has_taken_effect_when_everything_sent_is_shown() -> None:
    ours = contact(phone="021", address=PostalAddress(city="Auckland"))
    shown = {
        "ContactNumber": "shopify:1",
        "Name": "Aroha 1",
        "EmailAddress": "aroha1@example.com",
        "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "021"}, {"PhoneType": "FAX", "PhoneNumber": ""}],
        "Addresses": [{"AddressType": "STREET", "City": "Auckland", "Region": ""}, {"AddressType": "POBOX"}],
    }
    assert serialization.contains(ours, Element(Kind.CONTACT, shown))
    assert not serialization.contains(ours, Element(Kind.CONTACT, shown | {"Phones": []}))
    assert not serialization.contains(ours, Element(Kind.CONTACT, shown | {"Phones": None}))
    priced = {"Code": "SKU-1", "Name": "Item 1", "SalesDetails": {"UnitPrice": Decimal("12.34560")}}
    assert serialization.contains(item(), Element(Kind.ITEM, priced))
    assert not serialization.contains(item(), Element(Kind.ITEM, priced | {"SalesDetails": {"UnitPrice": "12.3456"}}))
    assert not serialization.contains(item(), Element(Kind.ITEM, priced | {"SalesDetails": None}))


def test_evidence_holds_figures_and_nothing_personal() -> None:
    shown = {"Status": "PAID", "Total": Decimal("1.10"), "Contact": {"Name": "Aroha"}, "Name": "Aroha"}
    assert Element(Kind.INVOICE, shown).fingerprint() == '{"Status":"PAID","Total":1.10}'


# -- requests ----------------------------------------------------------------------------------------------------------


def planned(number: int, attempts: int = 0, **fields: Any) -> JournalledWrite:
    record = invoice(number, **fields)
    operation = Operation(
        id=number,
        kind=record.kind,
        shopify_id=record.shopify_id,
        natural_key=record.natural_key,
        partition=DAY,
        run_id="run",
        verb="create",
        payload=batch_requests.serialize_payload(record),
        checksum="",
        state=OperationState.PLANNED,
        attempts=attempts,
        created_at=NOW,
        updated_at=NOW,
    )
    return batch_requests.parse_operation(operation)


def sizes(writes: list[JournalledWrite]) -> list[int]:
    return [len(draft.writes) for draft in batch_requests.build_drafts(Kind.INVOICE, writes, Ids())]


def test_fifty_records_share_a_request_and_those_that_failed_before_travel_in_smaller_company() -> None:
    assert sizes([planned(number) for number in range(1001, 1121)]) == [50, 50, 20]
    mixed = [planned(number, attempts=number % 4) for number in range(1001, 1041)]
    assert sorted(sizes(mixed)) == [1] * 20 + [10, 10]


def test_a_request_stays_below_xeros_size() -> None:
    line = invoice().lines[0].model_copy(update={"description": "x" * 4000})
    heavy = [planned(number, lines=(line,) * 30) for number in range(1001, 1051)]

    drafts = list(batch_requests.build_drafts(Kind.INVOICE, heavy, Ids()))

    assert len(drafts) == 2
    assert all(len(draft.body) <= 3_500_000 for draft in drafts)


def test_a_request_has_the_same_bytes_every_time_with_exact_numbers() -> None:
    (first,), (second,) = (list(batch_requests.build_drafts(Kind.INVOICE, [planned(1001)], Ids())) for _ in range(2))
    assert first.body == second.body
    assert b'"UnitAmount":115.00' in first.body
    assert (first.method, first.path) == ("PUT", "/Invoices?summarizeErrors=false&unitdp=4")


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "retryable", "advice"),
    [
        (
            "The document date cannot be before the period lock date, currently set at 30-Nov-2018",
            False,
            "locked_period",
        ),
        ("Account code '200' has been archived, or has been deleted.", False, "Restore it"),
        ("The TaxType code 'INPUT2' cannot be used with account code '630'.", False, "tax rate in books.yaml"),
        ("Account code 'X' is not a valid code for this document.", False, "account in books.yaml"),
        ("Organisation is not subscribed to currency EUR", False, "Add the currency"),
        ("Payment amount exceeds the amount outstanding on this document", False, "paid, credited or voided"),
        ("You have reached the limit of invoices you can approve", True, "plan"),
        ("The Xero API is temporarily unavailable", True, "retried automatically"),
        ("Something new", False, "Correct the record"),
    ],
)
def test_xeros_words_say_whether_to_try_again_and_what_to_do(message: str, retryable: bool, advice: str) -> None:
    assert refusals.refusal_kind(message).retryable is retryable
    assert advice in refusals.explain(message)


def test_words_are_gathered_from_elements_and_answers_and_kept_short() -> None:
    assert (
        refusals.error_messages({"ValidationErrors": [{"Message": "a"}, {"Message": "b"}, {"Message": "a"}, {}]})
        == "a; b"
    )
    assert refusals.error_messages({"Elements": [{"ValidationErrors": [{"Message": "inner"}]}]}) == "inner"
    assert refusals.error_messages({"Message": "outer"}) == "outer"
    assert refusals.error_messages({"Detail": "detail"}) == "detail"
    assert refusals.error_messages({}) == ""
    assert len(refusals.safe_message("x" * 900, invoice())) == refusals.MAX_MESSAGE_LENGTH
    assert refusals.safe_message("no full stop", invoice()) == "no full stop."
    assert "no reason given" in refusals.explain("")


def test_words_about_a_contact_do_not_repeat_who_it_is() -> None:
    message = "The contact name AROHA 1 (aroha1@example.com) is already assigned to another contact."
    assert refusals.safe_message(message, contact()) == "The contact name … (…) is already assigned to another contact."
