"""What a person may do meanwhile (B28 h), what survives a restart, and how fast it all is."""

from datetime import date
from decimal import Decimal

import pytest

from shopify_xero_pipeline.sandbox.xero.answers import Rejected
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.sandbox.xero.caller import Caller, credit_note, invoice, ok, payment, refusal


def test_a_voided_invoice_loses_its_payment_and_is_seen_as_modified(xero: Caller) -> None:
    xero.invoiced()
    ok(xero.put("Payments", payment()))
    xero.clock.sleep(3600)
    xero.sign_in()
    xero.person.void_document(xero.person.invoice("SH-1"))
    since = {"If-Modified-Since": "2026-09-21T01:00:00"}
    (shown,) = xero.get("Invoices", since)["Invoices"]
    assert (shown["Status"], shown["AmountDue"], shown["AmountPaid"]) == ("VOIDED", 0, 0)
    assert xero.get("Payments", since)["Payments"][0]["Status"] == "DELETED"


def test_voiding_a_credit_note_opens_the_invoice_it_was_allocated_to(xero: Caller) -> None:
    xero.invoiced()
    xero.credited()
    xero.put("CreditNotes/CR-1/Allocations", {"Amount": 115, "Invoice": {"InvoiceNumber": "SH-1"}})
    xero.person.void_document(xero.person.credit_note("CR-1"))
    shown = xero.get("Invoices/SH-1")["Invoices"][0]
    assert (shown["Status"], shown["AmountDue"], shown["CreditNotes"]) == ("AUTHORISED", 115, [])


def test_a_person_deletes_edits_and_pays_documents(xero: Caller) -> None:
    made = xero.person.enter_invoice(invoice("HAND-1"))
    xero.person.edit_document(made, reference="by hand", date=date(2026, 9, 30))
    paid = xero.person.pay(made, Decimal("15.00"), "601", date(2026, 9, 30), "cash")
    assert xero.get("Invoices/HAND-1")["Invoices"][0]["AmountDue"] == 100
    xero.person.delete_payment(paid)
    xero.person.delete_document(made)
    shown = xero.get("Invoices/HAND-1")["Invoices"][0]
    assert (shown["Status"], shown["Reference"], shown["AmountPaid"]) == ("DELETED", "by hand", 0)
    credit = xero.person.enter_credit_note(credit_note("HAND-2"))
    xero.person.pay(credit, Decimal("115.00"), "601", date(2026, 9, 30))
    assert xero.get("CreditNotes/HAND-2")["CreditNotes"][0]["Status"] == "PAID"


def test_a_person_is_refused_what_xero_refuses_everyone(xero: Caller) -> None:
    made = xero.person.enter_invoice(invoice("HAND-1"))
    with pytest.raises(Rejected, match="exceeds the amount outstanding"):
        xero.person.pay(made, Decimal("115.01"), "601", date(2026, 9, 30))


def test_a_person_renames_archives_and_restores_contacts(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1"})
    ann = xero.person.contact("1")
    xero.person.edit_contact(ann, name="Anne", email="anne@example.nz")
    assert xero.get("Contacts/1")["Contacts"][0]["Name"] == "Anne"
    ok(xero.put("Contacts", {"Name": "Ann"}))
    xero.person.archive_contact(ann)
    assert refusal(xero.post("Contacts", {"ContactNumber": "1", "FirstName": "A"}))
    xero.person.restore_contact(ann)
    ok(xero.post("Contacts", {"ContactNumber": "1", "FirstName": "A"}))


def test_what_a_person_cannot_find_is_named(xero: Caller) -> None:
    for look in (xero.person.invoice, xero.person.credit_note, xero.person.contact, xero.person.archive_account):
        with pytest.raises(LookupError, match="nothing-such"):
            look("nothing-such")


def test_everything_survives_a_restart_to_the_cent_and_numbers_go_on(xero: Caller) -> None:
    xero.put("Items", {"Code": "A", "SalesDetails": {"UnitPrice": "12.3456"}})
    xero.invoiced(None)
    ok(xero.put("Payments", payment("INV-0001", "14.99")))
    xero.credited()
    xero.put("CreditNotes/CR-1/Allocations", {"Amount": "0.01", "Invoice": {"InvoiceNumber": "INV-0001"}})
    text = xero.books.to_json()
    restarted = Caller(XeroBooks.from_json(text))
    for path in ("Invoices", "CreditNotes", "Payments", "Contacts", "Items", "Accounts", "TaxRates"):
        before, after = xero.get(path, unitdp=4) if path in ("Items",) else xero.get(path), restarted.get(path)
        if path != "Items":
            assert after[path] == before[path]
    assert restarted.get("Items", unitdp=4)["Items"][0]["SalesDetails"]["UnitPrice"] == Decimal("12.3456")
    assert restarted.invoiced(None)["InvoiceNumber"] == "INV-0002"
    assert refusal(restarted.put("CreditNotes", credit_note())) == ["Credit Note # must be unique."]
    assert XeroBooks.from_json(text).to_json() == text


def test_the_same_calls_make_the_same_ids() -> None:
    first, second = (Caller().invoiced()["InvoiceID"] for _ in range(2))
    assert first == second


def test_a_thousand_invoices_are_written_by_twenty_calls_and_read_by_one(xero: Caller) -> None:
    for batch in range(20):
        xero.put("Invoices", *[invoice(f"SH-{batch * 50 + number}") for number in range(50)])
    assert len(xero.get("Invoices", page=1, pageSize=1000, unitdp=4)["Invoices"]) == 1000
