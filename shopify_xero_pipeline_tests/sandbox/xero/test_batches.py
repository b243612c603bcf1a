"""B9 to B13: the envelope and formats, bodies, and what becomes of a batch with a bad record in it."""

import re
from decimal import Decimal

import pytest

from shopify_xero_pipeline_tests.sandbox.xero.caller import ZERO_GUID, Caller, invoice, line, messages, read

# B9 envelope and formats


def test_the_envelope_names_the_app_and_its_date_has_no_offset(xero: Caller) -> None:
    answer = xero.get("Currencies")
    assert (answer["Status"], answer["ProviderName"]) == ("OK", "sandbox")
    assert answer["DateTimeUTC"] == "/Date(1789948800000)/"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", answer["Id"])
    assert "pagination" not in answer


def test_documents_have_dates_in_two_forms_and_a_string_of_their_change(xero: Caller) -> None:
    made = xero.invoiced(Date="2026-09-21T23:30:00", DueDate="/Date(1790553600000+0000)/")
    assert (made["Date"], made["DateString"]) == ("/Date(1789948800000+0000)/", "2026-09-21T00:00:00")
    assert (made["DueDate"], made["DueDateString"]) == ("/Date(1790553600000+0000)/", "2026-09-28T00:00:00")
    assert made["UpdatedDateUTC"] == "/Date(1789948800000+0000)/"
    assert made["UpdatedDateUTCString"] == "2026-09-21T00:00:00Z"


def test_the_date_of_an_item_has_no_offset(xero: Caller) -> None:
    (item,) = xero.put("Items", {"Code": "A"})
    assert item["UpdatedDateUTC"] == "/Date(1789948800000)/"


def test_amounts_are_json_numbers_with_two_decimals(xero: Caller) -> None:
    answer = xero.send("PUT", "Invoices", {"Invoices": [invoice(LineItems=[line(UnitAmount=0.1, Quantity=3)])]})
    assert '"SubTotal":0.30,"TotalTax":0.05,"Total":0.35' in answer.text
    assert answer.json()["Invoices"][0]["LineItems"][0]["Quantity"] == 3


def test_a_create_without_summarize_errors_answers_as_recorded(xero: Caller) -> None:
    sent = {"LineItems": [line(Description="Job", Quantity=2, UnitAmount=10.5)], "Reference": "recording"}
    made = read(xero.send("PUT", "Invoices", {"Invoices": [invoice(None, **sent)]}))["Invoices"][0]
    recorded = {
        "Type", "InvoiceID", "InvoiceNumber", "Reference", "Prepayments", "Overpayments", "AmountDue", "AmountPaid",
        "SentToContact", "CurrencyRate", "IsDiscounted", "HasErrors", "InvoicePaymentServices", "UpdatedDateUTCString",
        "Contact", "DateString", "Date", "DueDateString", "DueDate", "Status", "LineAmountTypes", "LineItems",
        "SubTotal", "TotalTax", "Total", "UpdatedDateUTC", "CurrencyCode",
    }  # fmt: skip
    assert recorded <= made.keys() <= recorded | {"HasAttachments"}
    assert (made["SubTotal"], made["TotalTax"], made["Total"]) == (Decimal(21), Decimal("3.15"), Decimal("24.15"))
    assert made["InvoiceNumber"] == "INV-0001"
    assert made["LineItems"][0].keys() == {
        "Description", "UnitAmount", "TaxType", "TaxAmount", "LineAmount", "AccountCode", "Tracking", "Quantity",
        "LineItemID", "AccountID", "ValidationErrors",
    }  # fmt: skip
    assert len(made["Contact"]["Addresses"]) == 2
    assert len(made["Contact"]["Phones"]) == 4


# B10 bodies


def test_a_bare_object_a_list_and_a_collection_are_all_accepted(xero: Caller) -> None:
    for body in ({"Name": "a"}, [{"Name": "b"}], {"Contacts": [{"Name": "c"}]}, {"Contacts": {"Name": "d"}}):
        assert xero.send("PUT", "Contacts", body).status_code == 200
    assert len(xero.books.contacts) == 4


@pytest.mark.parametrize("body", [b"", b"  ", b"{}", b"[]", b'{"Invoices": []}', b'{"Invoices": null}'])
def test_an_empty_body_is_error_17_in_xeros_spelling(xero: Caller, body: bytes) -> None:
    answer = xero.client.put("https://api.xero.com/api.xro/2.0/Invoices", content=body)
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 17)
    assert answer.json()["Message"] == (
        "No data has been processed for this endpoint. "
        "This endpoint is expecting Invoice data to be specifed in the request body."
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"Invoices": [',
        b'{"Invoices": ["x"]}',
        b'"x"',
        b'{"Contact": "Ann"}',
        b'{"LineItems": {"Description": "x"}}',
        b'{"LineItems": ["x"]}',
    ],
)
def test_a_body_that_is_not_json_or_not_records_is_error_14(xero: Caller, body: bytes) -> None:
    answer = xero.client.put("https://api.xero.com/api.xro/2.0/Invoices", content=body)
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 14)
    assert answer.json()["Type"] == "PostDataInvalidException"


def test_a_known_name_in_other_letters_is_not_recognised_and_an_unknown_one_ignored(xero: Caller) -> None:
    answer = xero.send("PUT", "Invoices", {"Invoices": [invoice(LineItems=[line(unitAmount=1)])]})
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 14)
    assert answer.json()["Message"].startswith("The element 'unitAmount' was not recognised.")
    assert xero.invoiced(Unheard=1)["Total"] == 115


# B11 batches


def test_with_summarize_errors_left_out_the_good_rows_are_saved_and_their_ids_hidden(xero: Caller) -> None:
    bad = invoice("SH-2", DueDate=None)
    answer = xero.send("PUT", "Invoices", {"Invoices": [invoice("SH-1"), bad, invoice("SH-3")]})
    assert answer.status_code == 400
    refused = read(answer)
    assert (refused["ErrorNumber"], refused["Type"]) == (10, "ValidationException")
    assert refused["Message"] == "A validation exception occurred"
    (element,) = refused["Elements"]
    assert (element["InvoiceNumber"], element["InvoiceID"]) == ("SH-2", ZERO_GUID)
    assert messages(element) == ["The document DueDate field must be specified"]
    assert "StatusAttributeString" not in element
    assert [document.number for document in xero.books.documents.values()] == ["SH-1", "SH-3"]
    for document in xero.books.documents.values():
        assert document.id not in answer.text


@pytest.mark.parametrize("said", ["false", "False", "FALSE"])
def test_summarize_errors_false_answers_200_with_every_row_and_its_status(xero: Caller, said: str) -> None:
    body = {"Invoices": [invoice("SH-1"), invoice("SH-2", DueDate=None)]}
    answer = xero.send("PUT", "Invoices", body, summarizeERRORS=said)
    assert answer.status_code == 200
    good, bad = read(answer)["Invoices"]
    assert (good["StatusAttributeString"], good["HasErrors"]) == ("OK", False)
    assert (bad["StatusAttributeString"], bad["HasErrors"]) == ("ERROR", True)


def test_a_batch_without_errors_has_no_status_attribute_unless_asked(xero: Caller) -> None:
    answer = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, summarizeErrors="true")
    assert "StatusAttributeString" not in answer.json()["Invoices"][0]


def test_a_shuffled_sandbox_answers_in_another_order_than_asked(xero: Caller) -> None:
    xero.options.shuffle_responses = True
    numbers = [f"SH-{number}" for number in range(10)]
    answered = [made["InvoiceNumber"] for made in xero.put("Invoices", *map(invoice, numbers))]
    assert sorted(answered) == numbers != answered


# B12 failing elements


def test_a_refused_create_echoes_what_was_sent_under_the_zero_guid(xero: Caller) -> None:
    phone = {"PhoneType": "DEFAULT", "PhoneNumber": "1"}
    xero.put("Contacts", {"Name": "Ann"})
    (element,) = xero.put("Contacts", {"Name": "Ann", "IsCustomer": True, "Phones": [phone]})
    assert element["ContactID"] == ZERO_GUID
    assert (element["IsCustomer"], element["Addresses"], element["ContactGroups"]) == (True, [], [])
    assert element["Phones"] == [phone | {"ValidationErrors": []}]
    assert (element["HasValidationErrors"], element["ContactPersons"]) == (True, [])


def test_a_refused_update_carries_the_real_id_and_the_status_that_was_sent(xero: Caller) -> None:
    made = xero.invoiced()
    sent = invoice(None, InvoiceID=made["InvoiceID"], Status="DELETED")
    (element,) = xero.post("Invoices", sent)
    assert element["InvoiceID"] == made["InvoiceID"]
    assert (element["Status"], element["HasErrors"], "InvoiceNumber" in element) == ("DELETED", True, False)
    assert messages(element) == ["Invoice not of valid status for modification"]
    empty = ("Payments", "CreditNotes", "Prepayments", "Overpayments", "InvoiceAddresses", "InvoicePaymentServices")
    assert all(element[name] == [] for name in empty)
    assert element["DateString"] == "2026-09-21T00:00:00"
    assert xero.get(f"Invoices/{made['InvoiceID']}")["Invoices"][0]["Status"] == "AUTHORISED"


# B13 duplicates inside a batch


def test_a_number_twice_in_one_put_is_refused_the_second_time(xero: Caller) -> None:
    first, second = xero.put("Invoices", invoice(), invoice(Reference="again"))
    assert first["StatusAttributeString"] == "OK"
    assert messages(second) == ["Invoice # must be unique."]


def test_a_number_twice_in_one_post_is_created_and_then_edited(xero: Caller) -> None:
    first, second = xero.post("Invoices", invoice(), invoice(Reference="again"))
    assert second["InvoiceID"] == first["InvoiceID"]
    assert [document.reference for document in xero.books.documents.values()] == ["again"]
