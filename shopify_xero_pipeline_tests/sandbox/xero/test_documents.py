"""B16 to B24: what invoices and credit notes may be, and how their figures come about."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline_tests.sandbox.xero.caller import (
    ZERO_GUID,
    Caller,
    credit_note,
    invoice,
    line,
    messages,
    ok,
    payment,
    read,
    refusal,
)

UNKNOWN = "11111111-1111-4111-8111-111111111111"

# B16 contacts of documents


def test_an_unknown_name_on_an_invoice_makes_a_contact_and_a_customer(xero: Caller) -> None:
    made = xero.invoiced()
    assert (made["Contact"]["Name"], made["Contact"]["IsCustomer"]) == ("Ann", True)
    assert xero.invoiced("SH-2")["Contact"]["ContactID"] == made["Contact"]["ContactID"]


def test_a_contact_may_be_named_by_id_number_or_name(xero: Caller) -> None:
    ann = ok(xero.put("Contacts", {"Name": "Ann", "ContactNumber": "7"}))["ContactID"]
    named = ({"ContactID": ann}, {"ContactNumber": "7"}, {"Name": "ann"})
    made = [xero.invoiced(f"SH-{at}", Contact=contact) for at, contact in enumerate(named)]
    assert {each["Contact"]["ContactID"] for each in made} == {ann}


def test_an_invoice_without_a_contact_or_type_is_refused(xero: Caller) -> None:
    assert refusal(xero.put("Invoices", invoice(Contact=None))) == [
        "A Contact must be specified for this type of transaction"
    ]
    assert refusal(xero.put("Invoices", invoice(Contact={"ContactNumber": "x"})))
    assert refusal(xero.put("Invoices", invoice(Contact={"ContactID": UNKNOWN})))
    assert refusal(xero.put("Invoices", invoice(Type="ACCPAY"))) == ["Type must be ACCREC."]


def test_an_archived_contact_receives_no_invoice(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "7"})
    xero.person.archive_contact(xero.person.contact("7"))
    said = refusal(xero.put("Invoices", invoice(Contact={"ContactNumber": "7"})))
    assert said == [
        "The contact with the specified contact details has been archived. "
        "The contact must be un-archived before creating new invoices or credit notes."
    ]


def test_more_than_a_contact_id_on_an_invoice_changes_the_contact_and_drops_its_persons(xero: Caller) -> None:
    person = [{"FirstName": "B"}]
    ann = ok(xero.put("Contacts", {"Name": "Ann", "EmailAddress": "a@b.nz", "ContactPersons": person}))["ContactID"]
    xero.invoiced("SH-1", Contact={"ContactID": ann})
    assert xero.get(f"Contacts/{ann}")["Contacts"][0]["ContactPersons"]
    xero.invoiced("SH-2", Contact={"ContactID": ann, "FirstName": "Anne"})
    contact = xero.get(f"Contacts/{ann}")["Contacts"][0]
    assert (contact["FirstName"], contact["ContactPersons"]) == ("Anne", [])
    assert refusal(xero.put("Invoices", invoice("SH-3", Contact={"ContactID": ann, "EmailAddress": "x"})))


def test_a_refused_invoice_leaves_no_contact_behind(xero: Caller) -> None:
    refusal(xero.put("Invoices", invoice(DueDate=None)))
    assert xero.books.contacts == {}


# B17 statuses and strictness


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"AccountCode": None}, "Account code must be specified"),
        ({"AccountCode": "999"}, "Account code '999' is not a valid code for this document."),
        ({"AccountCode": "601"}, "Account code '601' is not a valid code for this document."),
        ({"AccountCode": "610"}, "Account code '610' is not a valid code for this document."),
        ({"TaxType": "INPUT2"}, "The TaxType code 'INPUT2' cannot be used with account code '200'."),
        ({"TaxType": "GST"}, "The TaxType code GST does not exist or cannot be used for this type of transaction."),
        (
            {"TaxType": "OUTPUT"},
            "The TaxType code OUTPUT does not exist or cannot be used for this type of transaction.",
        ),
        ({"Description": ""}, "The description field is mandatory for each line item."),
        ({"Description": "x" * 4001}, "Description must not be longer than 4000 characters."),
        ({"ItemCode": "none"}, "Item code 'none' is not valid"),
        ({"Quantity": "many"}, "Quantity must be a number."),
    ],
)
def test_an_approved_invoice_needs_valid_lines(xero: Caller, fields: dict[str, Any], words: str) -> None:
    for status in ("SUBMITTED", "AUTHORISED"):
        assert words in refusal(xero.put("Invoices", invoice(Status=status, LineItems=[line(**fields)])))


def test_an_archived_account_is_named(xero: Caller) -> None:
    xero.person.archive_account("200")
    assert refusal(xero.put("Invoices", invoice())) == [
        "Account code '200' has been archived, or has been deleted. Each line item must reference a valid account."
    ]
    xero.person.restore_account("200")
    xero.invoiced()


@pytest.mark.parametrize("lines", [None, []])
def test_an_invoice_needs_lines(xero: Caller, lines: Any) -> None:
    assert "One or more line items must be specified" in refusal(xero.put("Invoices", invoice(LineItems=lines)))


def test_a_draft_is_lenient_and_strictly_judged_when_approved(xero: Caller) -> None:
    drafted = invoice(
        Status=None, DueDate=None, LineItems=[{"Description": "x", "UnitAmount": 5, "AccountCode": "999"}]
    )
    made = ok(xero.put("Invoices", drafted))
    assert (made["Status"], made["Total"]) == ("DRAFT", 5)
    approve = {"InvoiceID": made["InvoiceID"], "Status": "AUTHORISED"}
    assert refusal(xero.post("Invoices", approve)) == [
        "Account code '999' is not a valid code for this document.",
        "The document DueDate field must be specified",
    ]
    mend = {"LineItems": [line(UnitAmount=5)], "DueDate": "2026-09-30"}
    assert ok(xero.post("Invoices", approve | mend))["Status"] == "AUTHORISED"


def test_statuses_move_only_as_xero_lets_them(xero: Caller) -> None:
    drafted = ok(xero.put("Invoices", invoice(Status="DRAFT")))["InvoiceID"]
    for status in ("SUBMITTED", "DRAFT", "DELETED"):
        assert ok(xero.post("Invoices", {"InvoiceID": drafted, "Status": status}))["Status"] == status
    approved = xero.invoiced("SH-2")["InvoiceID"]
    for status in ("DELETED", "DRAFT", "PAID"):
        said = refusal(xero.post("Invoices", {"InvoiceID": approved, "Status": status}))
        assert said == ["Invoice not of valid status for modification"]
    voided = ok(xero.post("Invoices", {"InvoiceID": approved, "Status": "VOIDED"}))
    assert (voided["Status"], voided["AmountDue"], voided["Total"]) == ("VOIDED", 0, 115)
    for final in (drafted, approved):
        said = refusal(xero.post("Invoices", {"InvoiceID": final, "Reference": "x"}))
        assert said == ["Invoice not of valid status for modification"]


@pytest.mark.parametrize("status", ["PAID", "VOIDED", "DELETED"])
def test_a_document_is_not_created_in_a_status_that_only_comes_later(xero: Caller, status: str) -> None:
    assert refusal(xero.put("Invoices", invoice(Status=status))) == ["Invoice not of valid status for creation"]


def test_an_invoice_of_nothing_is_paid_at_once(xero: Caller) -> None:
    made = xero.invoiced(LineItems=[line(), line(UnitAmount=-100)])
    assert (made["Total"], made["Status"], made["FullyPaidOnDate"]) == (0, "PAID", made["Date"])
    assert ok(xero.post("Invoices", {"InvoiceID": made["InvoiceID"], "Status": "VOIDED"}))["Status"] == "VOIDED"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Url": "shop/1"}, "Url must be a valid absolute url"),
        ({"Url": "https://xero.example/1"}, "Url must be a valid absolute url"),
        ({"Reference": "x" * 256}, "Reference must not be longer than 255 characters."),
        ({"LineAmountTypes": "Gross"}, "LineAmountTypes 'Gross' is not valid."),
        ({"Date": "soon"}, "Date must be a date."),
    ],
)
def test_a_document_that_breaks_a_form_is_refused(xero: Caller, fields: dict[str, Any], words: str) -> None:
    assert words in refusal(xero.put("Invoices", invoice(**fields)))


def test_the_date_defaults_to_today_in_the_organisations_zone(xero: Caller) -> None:
    xero.clock.sleep(13 * 3600)  # 13:00 UTC is 01:00 of the next day in New Zealand
    xero.sign_in()
    assert xero.invoiced(Date=None)["DateString"] == "2026-09-22T00:00:00"


def test_a_draft_marked_as_sent_is_saved_with_a_warning(xero: Caller) -> None:
    (made,) = xero.put("Invoices", invoice(Status="DRAFT", SentToContact=True))
    assert (made["StatusAttributeString"], made["SentToContact"]) == ("WARNING", False)
    assert made["Warnings"] == [{"Message": "Only AUTHORISED invoices may have SentToContact updated."}]
    assert xero.invoiced("SH-2", SentToContact=True)["SentToContact"] is True


# B18 numbers


def test_a_second_put_of_an_invoice_number_is_refused(xero: Caller) -> None:
    xero.invoiced()
    assert refusal(xero.put("Invoices", invoice())) == ["Invoice # must be unique."]
    assert refusal(xero.put("Invoices", invoice("sh-1"))) == ["Invoice # must be unique."]


def test_a_post_of_an_existing_number_silently_edits_that_invoice(xero: Caller) -> None:
    first = xero.invoiced()
    second = ok(xero.post("Invoices", invoice(LineItems=[line(UnitAmount=1)])))
    assert (second["InvoiceID"], second["Total"]) == (first["InvoiceID"], Decimal("1.15"))


def test_the_number_of_a_voided_invoice_stays_taken(xero: Caller) -> None:
    xero.person.void_document(xero.books.documents[xero.invoiced()["InvoiceID"]])
    assert refusal(xero.put("Invoices", invoice())) == ["Invoice # must be unique."]


def test_a_document_without_a_number_gets_the_next_free_one(xero: Caller) -> None:
    xero.invoiced("INV-0001")
    assert ok(xero.put("Invoices", invoice(None)))["InvoiceNumber"] == "INV-0002"
    assert ok(xero.put("CreditNotes", credit_note(None)))["CreditNoteNumber"] == "CN-0001"


def test_a_renumbering_to_a_taken_number_is_refused(xero: Caller) -> None:
    xero.invoiced("SH-1")
    second = xero.invoiced("SH-2")["InvoiceID"]
    said = refusal(xero.post("Invoices", {"InvoiceID": second, "InvoiceNumber": "SH-1"}))
    assert said == ["Invoice # must be unique."]
    assert ok(xero.post("Invoices", {"InvoiceID": second, "InvoiceNumber": "SH-3"}))["InvoiceNumber"] == "SH-3"


def test_an_unknown_id_is_not_found_and_credit_notes_are_apart_from_invoices(xero: Caller) -> None:
    said = refusal(xero.post("Invoices", invoice(InvoiceID=UNKNOWN)))
    assert said == ["An existing Invoice with the specified InvoiceID could not be found"]
    made = xero.credited("SH-1")["CreditNoteID"]
    assert refusal(xero.post("Invoices", invoice(InvoiceID=made)))
    assert xero.send("GET", f"Invoices/{made}").status_code == 404
    xero.invoiced("SH-1")


# B19 arithmetic


def test_tax_is_worked_out_per_line_exclusive_inclusive_and_not_at_all(xero: Caller) -> None:
    amounts = {
        "Exclusive": ("21.00", "3.15", "24.15"),
        "Inclusive": ("18.26", "2.74", "21.00"),
        "NoTax": ("21", "0", "21"),
    }
    for kind, expected in amounts.items():
        lines = [line(Quantity=2, UnitAmount="10.50", TaxType=None if kind == "NoTax" else "OUTPUT2")]
        made = xero.invoiced(kind, LineAmountTypes=kind, LineItems=lines)
        assert [made[name] for name in ("SubTotal", "TotalTax", "Total")] == [Decimal(each) for each in expected]


def test_a_recorded_inclusive_tax_is_met_to_the_cent(xero: Caller) -> None:
    for gross, tax in (("541.25", "70.60"), ("500.00", "65.22")):
        made = xero.invoiced(gross, LineAmountTypes="Inclusive", LineItems=[line(UnitAmount=gross)])
        assert made["TotalTax"] == Decimal(tax)


def test_without_unitdp_4_a_unit_amount_is_rounded_to_two_places(xero: Caller) -> None:
    sent = [line(UnitAmount="12.3456", Quantity=100)]
    rounded = read(xero.send("PUT", "Invoices", {"Invoices": [invoice("SH-1", LineItems=sent)]}))["Invoices"][0]
    exact = xero.invoiced("SH-2", LineItems=sent)
    assert (rounded["LineItems"][0]["UnitAmount"], rounded["SubTotal"]) == (Decimal("12.35"), Decimal("1235.00"))
    assert (exact["LineItems"][0]["UnitAmount"], exact["SubTotal"]) == (Decimal("12.3456"), Decimal("1234.56"))
    shown = [xero.get("Invoices/SH-2", unitdp=dp)["Invoices"][0]["LineItems"][0]["UnitAmount"] for dp in (2, 4)]
    assert shown == [Decimal("12.35"), Decimal("12.3456")]


@pytest.mark.parametrize(("rounding", "tax"), [("half_up", "0.02"), ("half_even", "0.02"), ("half_up", "0.03")])
def test_half_a_cent_goes_where_the_option_says(rounding: str, tax: str) -> None:
    unit = {"0.02": "0.10", "0.03": "0.17"}[tax]  # 15 % of 0.10 is 0.015, of 0.17 is 0.0255
    made = Caller(rounding=rounding).invoiced(LineItems=[line(UnitAmount=unit)])
    assert made["TotalTax"] == Decimal(tax)


def test_the_two_rounding_modes_part_at_exactly_half_a_cent() -> None:
    lines = [line(UnitAmount="0.30")]  # 15 % is 0.045
    totals = [Caller(rounding=mode).invoiced(LineItems=lines)["TotalTax"] for mode in ("half_up", "half_even")]
    assert totals == [Decimal("0.05"), Decimal("0.04")]


def test_a_discount_is_a_rate_or_an_amount(xero: Caller) -> None:
    by_rate = xero.invoiced("SH-1", LineItems=[line(Quantity=2, UnitAmount=33, DiscountRate=10)])
    by_amount = xero.invoiced("SH-2", LineItems=[line(Quantity=2, UnitAmount=33, DiscountAmount="6.60")])
    for made in (by_rate, by_amount):
        assert (made["SubTotal"], made["IsDiscounted"]) == (Decimal("59.40"), True)
    assert by_rate["LineItems"][0]["DiscountRate"] == 10
    assert by_amount["LineItems"][0]["DiscountAmount"] == Decimal("6.60")


def test_a_line_amount_that_does_not_fit_its_factors_is_refused(xero: Caller) -> None:
    said = refusal(xero.put("Invoices", invoice(LineItems=[line(Quantity=3, LineAmount="299.99")])))
    assert said == ["The line total 299.99 does not match the expected line total 300.00"]
    assert xero.invoiced(LineItems=[line(Quantity=3, LineAmount=300)])["SubTotal"] == 300
    alone = [line(Quantity=4, UnitAmount=None, LineAmount=100)]
    assert xero.invoiced("SH-2", LineItems=alone)["LineItems"][0]["UnitAmount"] == 25


def test_a_tax_amount_is_kept_up_to_the_line_amount(xero: Caller) -> None:
    made = xero.invoiced(LineItems=[line(TaxAmount="14.99")])
    assert (made["TotalTax"], made["Total"]) == (Decimal("14.99"), Decimal("114.99"))
    said = refusal(xero.put("Invoices", invoice("SH-2", LineItems=[line(TaxAmount="100.01")])))
    assert said == ["The tax amount cannot be greater than the line amount!"]


def test_nor_may_a_tax_amount_exceed_the_unit_amount(xero: Caller) -> None:
    ten = {"Quantity": 10, "UnitAmount": "1.00"}
    assert xero.invoiced(LineItems=[line(**ten, TaxAmount="1.00")])["TotalTax"] == Decimal("1.00")
    said = refusal(xero.put("Invoices", invoice("SH-2", LineItems=[line(**ten, TaxAmount="1.01")])))
    assert said == ["The tax amount cannot be greater than the line amount!"]


def test_a_sent_total_is_ignored_and_a_negative_one_refused(xero: Caller) -> None:
    assert xero.invoiced(Total=1, SubTotal=1, TotalTax=0)["Total"] == 115
    said = refusal(xero.put("Invoices", invoice("SH-2", LineItems=[line(), line(UnitAmount="-100.01")])))
    assert said == ["The Total for this document must be greater than or equal to zero."]


def test_a_line_may_be_a_description_alone(xero: Caller) -> None:
    made = xero.invoiced(LineItems=[line(), {"Description": "Thank you"}])
    assert made["LineItems"][1].keys() == {"Description", "Tracking", "LineItemID", "ValidationErrors"}


def test_an_item_fills_in_what_a_line_leaves_out(xero: Caller) -> None:
    sales = {"UnitPrice": 8, "AccountCode": "205"}
    xero.put("Items", {"Code": "TEA", "Name": "Tea", "Description": "Black tea", "SalesDetails": sales})
    (made,) = xero.invoiced(LineItems=[{"ItemCode": "TEA", "Quantity": 2}])["LineItems"]
    assert (made["Description"], made["UnitAmount"], made["AccountCode"], made["TaxType"]) == (
        "Black tea", 8, "205", "OUTPUT2",
    )  # fmt: skip
    assert made["Item"]["Code"] == "TEA"


# B20, B21


@pytest.mark.parametrize("discount", [{"DiscountRate": 10}, {"DiscountAmount": 1}])
def test_a_credit_note_takes_no_discount(xero: Caller, discount: dict[str, Any]) -> None:
    assert refusal(xero.put("CreditNotes", credit_note(LineItems=[line(**discount)])))


def test_a_currency_must_be_enabled(xero: Caller) -> None:
    said = refusal(xero.put("Invoices", invoice(CurrencyCode="EUR")))
    assert said == ["Organisation is not subscribed to currency EUR"]
    xero.person.add_currency("EUR")
    xero.options.currency_rates = {"EUR": Decimal("0.52")}
    made = xero.invoiced(CurrencyCode="EUR")
    assert (made["CurrencyCode"], made["CurrencyRate"]) == ("EUR", Decimal("0.52"))
    assert xero.invoiced("SH-2", CurrencyCode="EUR", CurrencyRate="0.55")["CurrencyRate"] == Decimal("0.55")


@pytest.mark.parametrize(
    ("setting", "words"), [("period", "period lock date"), ("end_of_year", "end of year lock date")]
)
def test_nothing_approved_is_dated_on_or_before_a_lock_date(xero: Caller, setting: str, words: str) -> None:
    xero.person.set_lock_dates(**{setting: date(2026, 9, 21)})
    said = f"The document date cannot be before the {words}, currently set at 21-Sep-2026"
    assert refusal(xero.put("Invoices", invoice())) == [said]
    assert refusal(xero.put("CreditNotes", credit_note(Date="2026-09-21"))) == [said]
    draft = ok(xero.put("Invoices", invoice(Status="DRAFT")))["InvoiceID"]
    assert refusal(xero.post("Invoices", {"InvoiceID": draft, "Status": "AUTHORISED"})) == [said]
    xero.invoiced("SH-2", Date="2026-09-22")


def test_an_invoice_in_a_locked_period_is_neither_edited_nor_voided(xero: Caller) -> None:
    made = xero.invoiced()["InvoiceID"]
    xero.person.set_lock_dates(period=date(2026, 9, 30))
    for change in ({"Status": "VOIDED"}, {"Reference": "x"}, {"Date": "2026-10-01"}):
        assert "period lock date" in refusal(xero.post("Invoices", {"InvoiceID": made, **change}))[0]


# B22 edits once money stands on a document


def test_a_part_paid_invoice_keeps_its_figures_and_its_date(xero: Caller) -> None:
    made = xero.invoiced()
    xero.put("Payments", payment(amount=15))
    head = {"InvoiceID": made["InvoiceID"]}
    kept = line(LineItemID=made["LineItems"][0]["LineItemID"])
    cannot = "This document cannot be edited as it has a payment or credit note allocated to it."
    for lines in ([line()], [kept | {"UnitAmount": 90}], [kept, line()]):
        assert refusal(xero.post("Invoices", head | {"LineItems": lines})) == [cannot]
    assert refusal(xero.post("Invoices", head | {"CurrencyCode": "USD"})) == [cannot]
    assert refusal(xero.post("Invoices", head | {"LineAmountTypes": "NoTax"})) == [cannot]
    assert refusal(xero.post("Invoices", head | {"Date": "2026-09-22"})) == [
        "Date cannot be changed on an invoice that has payment or credit notes allocated to it."
    ]
    allowed = {"Reference": "r", "DueDate": "2026-10-30", "Url": "https://shop.example/1", "InvoiceNumber": "SH-9"}
    lines = [kept | {"Description": "Green tea", "AccountCode": "205"}]
    changed = ok(xero.post("Invoices", head | allowed | {"LineItems": lines}))
    assert (changed["Reference"], changed["InvoiceNumber"], changed["AmountDue"]) == ("r", "SH-9", 100)
    assert changed["LineItems"][0]["Description"] == "Green tea"


def test_an_invoice_with_money_on_it_is_not_voided(xero: Caller) -> None:
    made = xero.invoiced()["InvoiceID"]
    xero.put("Payments", payment(amount=15))
    assert refusal(xero.post("Invoices", {"InvoiceID": made, "Status": "VOIDED"})) == [
        "The status VOIDED cannot be applied to the invoice because it has payments or credit notes allocated to it."
    ]
    xero.put("Payments", payment(amount=100))
    assert refusal(xero.post("Invoices", {"InvoiceID": made, "Status": "AUTHORISED"})) == [
        "The status AUTHORISED cannot be applied to the invoice because it has payment or Credit notes allocated to it."
    ]


# B23 lines


def test_lines_replace_and_one_without_its_id_is_a_new_line(xero: Caller) -> None:
    made = xero.invoiced(LineItems=[line(), line(Description="Cake", UnitAmount=5, TaxAmount="0.70")])
    cake = made["LineItems"][1]["LineItemID"]
    head = {"InvoiceID": made["InvoiceID"]}
    changed = ok(xero.post("Invoices", head | {"LineItems": [{"LineItemID": cake, "Description": "Cakes"}]}))
    assert [each["LineItemID"] for each in changed["LineItems"]] == [cake]
    assert (changed["SubTotal"], changed["TotalTax"]) == (5, Decimal("0.70"))
    again = ok(xero.post("Invoices", head | {"LineItems": [{"LineItemID": cake, "Quantity": 2}]}))
    assert (again["SubTotal"], again["TotalTax"]) == (10, Decimal("1.50"))
    fresh = ok(xero.post("Invoices", head | {"LineItems": [line(UnitAmount=5)]}))
    assert fresh["LineItems"][0]["LineItemID"] not in (cake, ZERO_GUID)


def test_other_line_amount_types_work_the_kept_lines_out_again(xero: Caller) -> None:
    made = xero.invoiced()
    changed = ok(xero.post("Invoices", {"InvoiceID": made["InvoiceID"], "LineAmountTypes": "Inclusive"}))
    assert (changed["Total"], changed["TotalTax"]) == (100, Decimal("13.04"))


def test_an_update_without_lines_keeps_them(xero: Caller) -> None:
    made = xero.invoiced(LineItems=[line(TaxAmount="14.99")])
    changed = ok(xero.post("Invoices", {"InvoiceID": made["InvoiceID"], "Reference": "r"}))
    assert (changed["LineItems"], changed["Total"]) == (made["LineItems"], Decimal("114.99"))


def test_one_document_may_be_updated_by_its_path_and_an_error_is_a_400(xero: Caller) -> None:
    made = xero.invoiced()
    answer = xero.send("POST", "Invoices/SH-1", {"Reference": "r"})
    assert (answer.status_code, answer.json()["Invoices"][0]["Reference"]) == (200, "r")
    refused = xero.send("POST", f"Invoices/{made['InvoiceID']}", {"Status": "DELETED"}, summarizeErrors="false")
    assert refused.status_code == 400
    assert messages(refused.json()["Elements"][0]) == ["Invoice not of valid status for modification"]


# B24 what is due


def test_an_invoice_is_paid_at_nothing_due_and_open_again_when_a_payment_goes(xero: Caller) -> None:
    made = xero.invoiced()["InvoiceID"]
    part = ok(xero.put("Payments", payment(amount=15)))
    shown = xero.get(f"Invoices/{made}")["Invoices"][0]
    assert (shown["AmountDue"], shown["AmountPaid"], shown["Status"]) == (100, 15, "AUTHORISED")
    assert "FullyPaidOnDate" not in shown
    ok(xero.put("Payments", payment(amount=100, Date="2026-09-25")))
    shown = xero.get(f"Invoices/{made}")["Invoices"][0]
    assert (shown["AmountDue"], shown["Status"]) == (0, "PAID")
    assert shown["FullyPaidOnDate"] == "/Date(1790294400000+0000)/"
    assert [each["Amount"] for each in shown["Payments"]] == [15, 100]
    assert xero.send("POST", f"Payments/{part['PaymentID']}", {"Status": "DELETED"}).status_code == 200
    shown = xero.get(f"Invoices/{made}")["Invoices"][0]
    assert (shown["AmountDue"], shown["Status"], len(shown["Payments"])) == (15, "AUTHORISED", 1)
    assert "FullyPaidOnDate" not in shown
