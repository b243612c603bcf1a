"""B27: lists, pages, filters; and the settings."""

from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.sandbox.xero.caller import Caller, credit_note, invoice, ok, payment


@pytest.fixture
def trading(xero: Caller) -> Caller:
    """Five invoices a minute apart, the first one paid, and a credit note."""
    for number in range(1, 6):
        xero.invoiced(
            f"SH-{number}", Contact={"Name": f"C{number % 2}"}, Date=f"2026-09-2{number}", Reference=f"r{number}"
        )
        xero.clock.sleep(60)
    xero.put("Payments", payment("SH-1"))
    xero.put("CreditNotes", credit_note())
    return xero


def numbers(answer: Any) -> list[str]:
    return [each["InvoiceNumber"] for each in answer["Invoices"]]


def test_pages_say_how_many_there_are_and_end_with_an_empty_one(trading: Caller) -> None:
    first = trading.get("Invoices", page=1, pageSize=2)
    assert first["pagination"] == {"page": 1, "pageSize": 2, "pageCount": 3, "itemCount": 5}
    seen = [numbers(trading.get("Invoices", page=page, pageSize=2)) for page in (1, 2, 3, 4)]
    assert seen == [["SH-2", "SH-3"], ["SH-4", "SH-5"], ["SH-1"], []]  # SH-1 was paid last


@pytest.mark.parametrize(
    ("asked", "got"), [({"page": 1}, 100), ({"pageSize": 5000}, 1000), ({"page": 0, "pageSize": 0}, 1)]
)
def test_page_sizes_default_to_100_and_are_clamped(trading: Caller, asked: dict[str, Any], got: int) -> None:
    pagination = trading.get("Invoices", **asked)["pagination"]
    assert (pagination["pageSize"], pagination["page"]) == (got, 1)


def test_unpaged_invoices_and_credit_notes_come_without_lines(trading: Caller) -> None:
    for kind in ("Invoices", "CreditNotes"):
        unpaged, paged = trading.get(kind), trading.get(kind, page=1)
        assert ("pagination" in unpaged, "pagination" in paged) == (False, True)
        assert all(each["LineItems"] == [] for each in unpaged[kind])
        assert all(len(each["LineItems"]) == 1 for each in paged[kind])


def test_summary_only_forces_pages_and_drops_lines(trading: Caller) -> None:
    answer = trading.get("Invoices", summaryOnly="true")
    assert answer["pagination"]["itemCount"] == 5
    assert answer["Invoices"][0]["LineItems"] == []


def test_one_document_is_read_by_id_or_by_number_with_its_whole_contact(trading: Caller) -> None:
    by_number = trading.get("Invoices/SH-2")["Invoices"][0]
    by_id = trading.get(f"Invoices/{by_number['InvoiceID']}")["Invoices"][0]
    assert by_id == by_number
    assert (len(by_id["LineItems"]), len(by_id["Contact"]["Phones"])) == (1, 4)


def test_lists_hold_what_was_modified_since_to_the_second(trading: Caller) -> None:
    since = {"If-Modified-Since": "2026-09-21T00:03:00"}
    assert numbers(trading.get("Invoices", since)) == ["SH-4", "SH-5", "SH-1"]
    assert len(trading.get("Payments", since)["Payments"]) == 1
    assert trading.get("Contacts", {"If-Modified-Since": "2027-01-01T00:00:00"})["Contacts"] == []
    assert numbers(trading.get("Invoices", {"If-Modified-Since": "Mon, 21 Sep 2026 00:04:30 GMT"})) == ["SH-1"]
    assert trading.send("GET", "Invoices", headers={"If-Modified-Since": "yesterday"}).status_code == 400


def test_a_sandbox_may_answer_304_when_nothing_was_modified(trading: Caller) -> None:
    trading.options.answer_not_modified = True
    answer = trading.send("GET", "Invoices", headers={"If-Modified-Since": "2027-01-01T00:00:00"})
    assert (answer.status_code, answer.content) == (304, b"")


def test_lists_of_ids_numbers_contacts_and_statuses_narrow_invoices(trading: Caller) -> None:
    every = {each["InvoiceNumber"]: each for each in trading.get("Invoices")["Invoices"]}
    ids = ",".join([every["SH-3"]["InvoiceID"], every["SH-5"]["InvoiceID"]])
    assert numbers(trading.get("Invoices", IDs=ids)) == ["SH-3", "SH-5"]
    assert numbers(trading.get("Invoices", InvoiceNumbers="SH-2,SH-404,SH-4")) == ["SH-2", "SH-4"]
    assert numbers(trading.get("Invoices", Statuses="PAID,VOIDED")) == ["SH-1"]
    contact = every["SH-2"]["Contact"]["ContactID"]
    assert numbers(trading.get("Invoices", ContactIDs=contact)) == ["SH-2", "SH-4"]


def test_voided_and_deleted_documents_are_still_listed(trading: Caller) -> None:
    trading.person.void_document(trading.person.invoice("SH-2"))
    assert "SH-2" in numbers(trading.get("Invoices", page=1))


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('Status=="AUTHORISED" AND Date>=DateTime(2026,9,24)', ["SH-4", "SH-5"]),
        ('Status="PAID"', ["SH-1"]),
        ('Status!="AUTHORISED"', ["SH-1"]),
        ("Date>DateTime(2026, 09, 22) && Date<=DateTime(2026,9,24,0,0,0)", ["SH-3", "SH-4"]),
        ('Reference=="R2" OR (Reference=="r3" and AmountDue==115.00)', ["SH-2", "SH-3"]),
        ("AmountPaid>0", ["SH-1"]),
        ('Contact.Name=="c0"', ["SH-2", "SH-4"]),
        ('Reference!=null && Reference.StartsWith("r2")', ["SH-2"]),
        ('Reference.EndsWith("5") || Reference.Contains("r4")', ["SH-4", "SH-5"]),
        ("DueDate==null", []),
        ("Reference>null", []),
        ("UpdatedDateUTC>=DateTime(2026,9,21,0,4,30)", ["SH-1"]),
    ],
)
def test_where_filters_as_documented(trading: Caller, where: str, found: list[str]) -> None:
    assert sorted(numbers(trading.get("Invoices", where=where))) == found


def test_where_takes_a_guid_and_payments_are_found_by_their_invoice(trading: Caller) -> None:
    made = trading.get("Invoices/SH-1")["Invoices"][0]["InvoiceID"]
    for name in ("InvoiceID", "InvoiceId"):
        where = f'Invoice.{name}==guid("{made}") AND PaymentType=="ACCRECPAYMENT" AND Status=="AUTHORISED"'
        assert len(trading.get("Payments", where=where)["Payments"]) == 1


@pytest.mark.parametrize(
    "where",
    [
        "Status==",
        'Colour=="red"',
        'Status~"x"',
        "Status==PAID",
        'Status=="PAID" AND',
        "(Date>DateTime(2026,9,1)",
        "Date>DateTime(2026,13,1)",
        "Date>DateTime(2026)",
        "Date>1",
        "Status,1",
        'Status=="PAID" Date',
        'Status 1 "x"',
        "Date>DateTime(2026;1;1)",
        "Status.Contains(1)",
    ],
)
def test_a_where_that_is_not_understood_is_a_400(trading: Caller, where: str) -> None:
    answer = trading.send("GET", "Invoices", where=where)
    assert (answer.status_code, answer.json()["Type"]) == (400, "QueryParseException")


def test_a_method_on_a_null_text_needs_a_guard(trading: Caller) -> None:
    trading.put("Invoices", invoice("SH-6"))
    assert trading.send("GET", "Invoices", where='Reference.StartsWith("r")').status_code == 400
    assert len(trading.get("Invoices", where='Reference!=null AND Reference.StartsWith("r")')["Invoices"]) == 5


def test_lists_are_ordered_by_change_and_id_or_as_asked(trading: Caller) -> None:
    assert numbers(trading.get("Invoices"))[-1] == "SH-1"
    assert numbers(trading.get("Invoices", order="Date DESC"))[0] == "SH-5"
    assert numbers(trading.get("Invoices", order="InvoiceNumber"))[0] == "SH-1"
    for order in ("Colour", "Date SIDEWAYS"):
        assert trading.send("GET", "Invoices", order=order).status_code == 400


def test_a_parameter_that_no_endpoint_has_is_ignored_as_no_source_says_otherwise(trading: Caller) -> None:
    assert len(trading.get("CreditNotes", IDs="x", utm_source="mail")["CreditNotes"]) == 1
    assert numbers(trading.get("Invoices", colour="red")) == numbers(trading.get("Invoices"))
    assert trading.send("GET", "Invoices", page="one").status_code == 400


def test_a_parameter_that_no_endpoint_has_is_refused_if_wanted() -> None:
    strict = Caller(refuse_unknown_parameters=True)
    answer = strict.send("GET", "CreditNotes", IDs="x")
    assert (answer.status_code, answer.json()["Message"]) == (400, "This endpoint has no parameter ids")
    assert strict.send("GET", "Invoices", page="1", summaryOnly="true").status_code == 200


# settings


def test_the_demo_company_answers_as_recorded(xero: Caller) -> None:
    (organisation,) = xero.get("Organisation")["Organisations"]
    assert (organisation["BaseCurrency"], organisation["Timezone"]) == ("NZD", "NEWZEALANDSTANDARDTIME")
    assert organisation["PeriodLockDate"] == "/Date(1254268800000+0000)/"
    assert "EndOfYearLockDate" not in organisation
    accounts = {account["Code"]: account for account in xero.get("Accounts")["Accounts"]}
    assert {code: accounts[code]["Type"] for code in ("200", "209", "601", "830", "860")} == {
        "200": "REVENUE", "209": "CURRLIAB", "601": "BANK", "830": "CURRLIAB", "860": "EXPENSE",
    }  # fmt: skip
    assert {accounts[code]["SystemAccount"] for code in ("610", "820", "860")} == {"DEBTORS", "GST", "ROUNDING"}
    assert xero.get(f"Accounts/{accounts['200']['AccountID']}")["Accounts"][0]["Code"] == "200"
    rates = {rate["TaxType"]: rate for rate in xero.get("TaxRates")["TaxRates"]}
    assert (rates["OUTPUT2"]["EffectiveRate"], rates["OUTPUT2"]["CanApplyToExpenses"]) == (15, False)
    assert (rates["OUTPUT"]["Status"], rates["INPUT2"]["CanApplyToRevenue"]) == ("DELETED", False)
    assert [each["Code"] for each in xero.get("Currencies")["Currencies"]] == ["NZD", "USD"]


def test_settings_are_filtered_too(xero: Caller) -> None:
    banks = xero.get("Accounts", where='Type=="BANK" AND Status=="ACTIVE"')["Accounts"]
    assert [account["Code"] for account in banks] == ["090", "601", "602", "603", "604", "605"]
    assert [rate["Name"] for rate in xero.get("TaxRates", TaxType="NONE")["TaxRates"]] == ["No GST"]


def test_recorded_settings_take_the_place_of_the_demo_company() -> None:
    organisation = {"Organisations": [{"Name": "Café", "BaseCurrency": "AUD", "OrganisationID": "x"}]}
    account = {"Code": "4000", "Name": "Sales", "Type": "REVENUE", "Class": "REVENUE", "TaxType": "OUTPUT"}
    accounts = [account | {"AccountID": "11111111-1111-4111-8111-111111111111", "Status": "ACTIVE"}]
    rates = {"TaxRates": [{"TaxType": "OUTPUT", "Status": "ACTIVE", "EffectiveRate": 10.0, "CanApplyToRevenue": True}]}
    xero = Caller(XeroBooks.with_settings(organisation, accounts, rates))
    assert [each["Code"] for each in xero.get("Currencies")["Currencies"]] == ["AUD"]
    lines = [{"Description": "Tea", "UnitAmount": 100, "AccountCode": "4000"}]
    made = xero.invoiced(LineItems=lines)
    assert (made["TotalTax"], made["CurrencyCode"]) == (10, "AUD")
    named = XeroBooks.with_settings(organisation["Organisations"][0], currencies={"Currencies": [{"Code": "EUR"}]})
    assert named.currencies == [{"Code": "EUR"}]


# history


def test_notes_are_added_and_read_but_not_on_payments(xero: Caller) -> None:
    made = xero.invoiced()["InvoiceID"]
    note = {"HistoryRecords": [{"Details": "Shopify order 1"}]}
    assert xero.send("PUT", f"Invoices/{made}/History", note).status_code == 200
    assert xero.get(f"Invoices/{made}/History")["HistoryRecords"][0]["Details"] == "Shopify order 1"
    paid = ok(xero.put("Payments", payment()))["PaymentID"]
    refused = xero.send("PUT", f"Payments/{paid}/History", note)
    assert "not found for this endpoint" in refused.text
    assert xero.send("PUT", f"Invoices/{made}/History", {"Details": "x" * 2501}).status_code == 400
    assert xero.send("GET", "Invoices/11111111-1111-4111-8111-111111111111/History").status_code == 404
