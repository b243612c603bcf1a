"""B14 and B15: contacts and items."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline_tests.sandbox.xero.caller import ZERO_GUID, Caller, messages, ok, refusal

NAME_TAKEN = (
    "The contact name {} is already assigned to another contact. "
    "The contact name must be unique across all active contacts."
)
ARCHIVED = (
    "The specified contact details matched an archived contact. "
    "Archived contacts cannot currently be edited via the API."
)


def test_a_contact_comes_back_with_two_addresses_and_four_phones(xero: Caller) -> None:
    street = {"AddressType": "STREET", "AddressLine1": "1 Quay St", "City": "Auckland", "Country": "New Zealand"}
    made = ok(xero.put("Contacts", {"Name": "Ann", "Addresses": [street], "Phones": [{"PhoneNumber": "12"}]}))
    assert [address["AddressType"] for address in made["Addresses"]] == ["STREET", "POBOX"]
    assert made["Addresses"][0] == street | {"Region": "", "PostalCode": ""}
    assert [phone["PhoneType"] for phone in made["Phones"]] == ["DEFAULT", "DDI", "FAX", "MOBILE"]
    assert made["Phones"][0]["PhoneNumber"] == "12"
    assert (made["BankAccountDetails"], made["IsCustomer"], made["ContactStatus"]) == ("", False, "ACTIVE")


def test_a_put_without_a_name_is_refused(xero: Caller) -> None:
    said = "The Contact must contain at least 1 of the following elements to identify the contact"
    for method in ("PUT", "POST"):
        assert refusal(xero.write(method, "Contacts", {"EmailAddress": "a@b.nz"}))[0].startswith(said)


def test_a_name_is_taken_whatever_its_case(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann Lee"})
    assert refusal(xero.put("Contacts", {"Name": "ANN LEE"})) == [NAME_TAKEN.format("ANN LEE")]


def test_numbers_are_unique_too(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1", "AccountNumber": "A"})
    number = "Another contact has this contact number. Please enter a different contact number."
    account = "The Account Number already exists. Please enter a different Account Number."
    assert refusal(xero.put("Contacts", {"Name": "Bob", "ContactNumber": "1", "AccountNumber": "A"})) == [
        number,
        account,
    ]


def test_a_post_matches_by_id_then_by_number_then_by_name(xero: Caller) -> None:
    ann = ok(xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1"}))["ContactID"]
    bob = ok(xero.put("Contacts", {"Name": "Bob", "ContactNumber": "2"}))["ContactID"]
    assert ok(xero.post("Contacts", {"ContactID": bob.upper(), "FirstName": "B"}))["ContactID"] == bob
    assert ok(xero.post("Contacts", {"ContactNumber": "1", "FirstName": "A"}))["ContactID"] == ann
    assert ok(xero.post("Contacts", {"Name": "bob", "LastName": "C"}))["ContactID"] == bob
    assert ok(xero.post("Contacts", {"Name": "New", "ContactNumber": "3"}))["ContactID"] not in (ann, bob, ZERO_GUID)


def test_a_post_keeps_what_it_does_not_send(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1", "EmailAddress": "ann@example.nz", "FirstName": "Ann"})
    changed = ok(xero.post("Contacts", {"ContactNumber": "1", "FirstName": "Anne"}))
    assert (changed["Name"], changed["FirstName"], changed["EmailAddress"]) == ("Ann", "Anne", "ann@example.nz")


def test_an_unknown_contact_id_is_a_404_for_the_whole_request(xero: Caller) -> None:
    unknown = {"ContactID": "11111111-1111-4111-8111-111111111111", "Name": "X"}
    assert xero.send("POST", "Contacts", {"Contacts": [{"Name": "Ann"}, unknown]}).status_code == 404
    assert xero.books.contacts == {}


def test_a_rename_to_another_contacts_name_is_refused_with_the_real_id(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann"})
    bob = ok(xero.put("Contacts", {"Name": "Bob"}))["ContactID"]
    (element,) = xero.post("Contacts", {"ContactID": bob, "Name": "Ann"})
    assert (element["ContactID"], messages(element)) == (bob, [NAME_TAKEN.format("Ann")])


def test_an_archived_contact_cannot_be_edited_and_frees_its_name(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1"})
    assert ok(xero.post("Contacts", {"ContactNumber": "1", "ContactStatus": "ARCHIVED"}))["ContactStatus"] == "ARCHIVED"
    assert refusal(xero.post("Contacts", {"ContactNumber": "1", "FirstName": "A"})) == [ARCHIVED]
    assert ok(xero.put("Contacts", {"Name": "Ann"}))["ContactStatus"] == "ACTIVE"


def test_lists_leave_archived_contacts_out_unless_asked(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1"}, {"Name": "Bob"})
    xero.person.archive_contact(xero.person.contact("1"))
    assert [one["Name"] for one in xero.get("Contacts")["Contacts"]] == ["Bob"]
    assert len(xero.get("Contacts", includeArchived="true")["Contacts"]) == 2
    assert xero.get("Contacts/1")["Contacts"][0]["ContactStatus"] == "ARCHIVED"


@pytest.mark.parametrize(
    "fields",
    [
        {"Name": "x" * 256},
        {"ContactNumber": "x" * 51},
        {"AccountNumber": "x" * 51},
        {"FirstName": "x" * 256},
        {"CompanyNumber": "x" * 51},
        {"Addresses": [{"AddressLine1": "x" * 501}]},
        {"Phones": [{"PhoneAreaCode": "x" * 11}]},
        {"EmailAddress": "nobody"},
        {"EmailAddress": "jürgen@example.de"},
        {"Addresses": [{"Country": "N.Z."}]},
        {"Name": "Ann <x>"},
        {"Name": "Ann  Lee"},
        {"Name": " Ann"},
        {"ContactStatus": "GONE"},
        {"ContactPersons": [{"FirstName": "B"}]},
        {"EmailAddress": "a@b.nz", "ContactPersons": [{"FirstName": "B"}] * 6},
    ],
)
def test_a_contact_that_breaks_a_limit_is_refused(xero: Caller, fields: dict[str, object]) -> None:
    assert refusal(xero.put("Contacts", {"Name": "Ann", **fields}))
    assert xero.books.contacts == {}


def test_persons_are_replaced_as_a_whole(xero: Caller) -> None:
    people = [{"FirstName": "B"}, {"FirstName": "C", "IncludeInEmails": True}]
    xero.put("Contacts", {"Name": "Ann", "EmailAddress": "a@b.nz", "ContactPersons": people})
    changed = ok(xero.post("Contacts", {"Name": "Ann", "ContactPersons": [{"FirstName": "D"}]}))
    assert changed["ContactPersons"] == [{"IncludeInEmails": False, "FirstName": "D"}]


def test_a_contact_may_be_updated_by_its_path(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "ContactNumber": "1"})
    answer = xero.send("POST", "Contacts/1", {"LastName": "Lee"})
    assert (answer.status_code, answer.json()["Contacts"][0]["LastName"]) == (200, "Lee")
    assert "StatusAttributeString" not in answer.json()["Contacts"][0]


def test_contacts_are_found_by_term_and_without_regard_to_case(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann", "EmailAddress": "Ann@Example.nz"}, {"Name": "Bob"})
    assert len(xero.get("Contacts", searchTerm="example")["Contacts"]) == 1
    assert len(xero.get("Contacts", where='EmailAddress=="ann@example.NZ"')["Contacts"]) == 1
    brief = xero.get("Contacts", summaryOnly="true")
    assert (brief["pagination"]["itemCount"], "Addresses" in brief["Contacts"][0]) == (2, False)


def test_a_list_of_contacts_without_pages_has_fewer_fields(xero: Caller) -> None:
    xero.put("Contacts", {"Name": "Ann"})
    assert "ContactPersons" not in xero.get("Contacts")["Contacts"][0]
    assert "ContactPersons" in xero.get("Contacts", page=1)["Contacts"][0]


# B15 items


def test_an_item_comes_back_with_its_details(xero: Caller) -> None:
    sales = {"UnitPrice": Decimal("12.3456"), "AccountCode": "200", "TaxType": "OUTPUT2"}
    made = ok(xero.put("Items", {"Code": "TEA", "Name": "Tea", "Description": "Black tea", "SalesDetails": sales}))
    assert (made["Code"], made["Name"], made["Description"]) == ("TEA", "Tea", "Black tea")
    assert made["SalesDetails"] == sales
    assert (made["PurchaseDetails"], made["IsTrackedAsInventory"], made["IsSold"]) == ({}, False, True)


def test_a_price_has_two_decimals_unless_unitdp_says_four_on_the_write_and_on_the_read(xero: Caller) -> None:
    item = {"SalesDetails": {"UnitPrice": "12.3456"}}
    xero.put("Items", {"Code": "A", **item}, unitdp=2)
    xero.put("Items", {"Code": "B", **item}, unitdp=4)
    shown = {each["Code"]: each["SalesDetails"]["UnitPrice"] for each in xero.get("Items", unitdp=4)["Items"]}
    assert shown == {"A": Decimal("12.35"), "B": Decimal("12.3456")}
    assert xero.get("Items/B")["Items"][0]["SalesDetails"]["UnitPrice"] == Decimal("12.35")


def test_a_second_put_of_a_code_is_refused(xero: Caller) -> None:
    xero.put("Items", {"Code": "abc"})
    assert refusal(xero.put("Items", {"Code": "abc"})) == ["Price List Item with Code 'abc' already exists"]


def test_a_post_matches_by_id_else_by_code(xero: Caller) -> None:
    made = ok(xero.put("Items", {"Code": "A", "Name": "Old", "Description": "kept"}))
    by_code = ok(xero.post("Items", {"Code": "A", "Name": "New"}))
    assert (by_code["ItemID"], by_code["Name"], by_code["Description"]) == (made["ItemID"], "New", "kept")
    by_id = ok(xero.post("Items", {"ItemID": made["ItemID"], "Code": "B"}))
    assert (by_id["ItemID"], by_id["Code"]) == (made["ItemID"], "B")
    assert ok(xero.post("Items", {"Code": "A"}))["ItemID"] != made["ItemID"]
    assert refusal(xero.post("Items", {"ItemID": made["ItemID"], "Code": "A"}))
    assert refusal(xero.post("Items", {"ItemID": "11111111-1111-4111-8111-111111111111", "Code": "C"}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Code": ""}, "Price List Item Code must be supplied"),
        ({"Code": "x" * 31}, "Code must not be longer than 30 characters."),
        ({"Name": "x" * 51}, "Name must not be longer than 50 characters."),
        ({"Description": "x" * 4001}, "Description must not be longer than 4000 characters."),
        (
            {"SalesDetails": {"AccountCode": "999"}},
            "Account code '999' does not exist or cannot be applied to Items.",
        ),
        (
            {"SalesDetails": {"AccountCode": "601"}},
            "Account code '601' does not exist or cannot be applied to Items.",
        ),
        ({"SalesDetails": {"TaxType": "OUTPUT"}}, "Tax rate must be valid."),
    ],
)
def test_an_item_that_breaks_a_rule_is_refused(xero: Caller, fields: dict[str, object], words: str) -> None:
    assert refusal(xero.put("Items", {"Code": "A", **fields})) == [words]


def test_what_is_not_sold_has_no_sales_details_and_may_be_tracked(xero: Caller) -> None:
    made = ok(
        xero.put("Items", {
            "Code": "A", "IsSold": False, "IsPurchased": False, "InventoryAssetAccountCode": "630",
            "SalesDetails": {"UnitPrice": 1}, "PurchaseDetails": {"UnitPrice": 1},
        })
    )  # fmt: skip
    assert (made["SalesDetails"], made["PurchaseDetails"], made["IsTrackedAsInventory"]) == ({}, {}, True)


def test_an_item_is_read_changed_and_deleted_by_its_code(xero: Caller) -> None:
    made = ok(xero.put("Items", {"Code": "A"}))
    assert xero.get("Items/a")["Items"][0]["ItemID"] == made["ItemID"]
    assert xero.send("POST", "Items/A", {"Name": "New"}).json()["Items"][0]["Name"] == "New"
    assert xero.send("DELETE", f"Items/{made['ItemID']}").status_code == 204
    assert xero.get("Items")["Items"] == []


def test_items_are_not_paged_so_that_every_page_holds_all(xero: Caller) -> None:
    """Whoever reads on until a page is empty never ends, as is to be feared of Xero (docs/contracts/xero.md A.18)."""
    xero.put("Items", *[{"Code": str(number)} for number in range(150)])
    pages: tuple[dict[str, Any], ...] = ({}, {"page": 1}, {"page": 2})
    for page in pages:
        found = xero.get("Items", **page)
        assert (len(found["Items"]), "pagination" in found) == (150, False)
