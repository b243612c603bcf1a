"""What only Xero still says of an order whose mapping was lost: documents, money and credit; and a blanked contact."""

from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.records import PostedAllocation, PostedDocument, PostedPayment, PostedRecords
from shopify_xero_pipeline.changes.unmapped_posted import backfill_blanks, include_unmapped_posted
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Contact, Kind, PostalAddress
from shopify_xero_pipeline_tests.support.one_order import contact, item
from shopify_xero_pipeline_tests.support.rows import shown

DAY = date(2026, 9, 23)
CONTACTS = {"c-1": "shopify:7"}
INVOICE = PostedDocument(
    kind=Kind.INVOICE, shopify_id="1/11", number="SH-1001", date=DAY, contact_id="7", total=Decimal("100.00")
)
NOTE = PostedDocument(
    kind=Kind.CREDIT_NOTE, shopify_id="1/12", number="SH-1001-R12", date=DAY, contact_id="7", total=Decimal("30.00")
)
PAID = PostedPayment(transaction_id="21", document_id="1/11", amount=Decimal("70.00"), date=DAY)
CREDITED = PostedAllocation(credit_note_id="1/12", invoice_id="1/11", amount=Decimal("30.00"), date=DAY)


def document(kind: Kind, key: str, reference: str, total: str, status: str = "AUTHORISED") -> MirrorRecord:
    standing = {"Contact": {"ContactID": "c-1"}, "Total": Decimal(total), "DateString": "2026-09-23T00:00:00"}
    return shown(kind, f"x {key}", key, status, reference, **standing)


def money(kind: Kind, key: str, amount: str, reference: str = "") -> MirrorRecord:
    return shown(kind, f"x {key}", key, reference=reference, Amount=Decimal(amount), Date="/Date(1790121600000+0000)/")


OURS = [
    document(Kind.INVOICE, "SH-1001", "#1001 shopify:1/11", "100.00"),
    document(Kind.CREDIT_NOTE, "SH-1001-R12", "#1001 shopify:1/12", "30.00"),
    money(Kind.PAYMENT, "shopify:1/21|SH-1001", "70.00", "shopify:1/21"),
    money(Kind.ALLOCATION, "SH-1001-R12|SH-1001", "30.00"),
]


def test_an_order_is_known_again_by_the_marks_its_records_bear_in_xero() -> None:
    found = include_unmapped_posted({}, {"1"}, OURS, CONTACTS)
    assert found == {"1": PostedRecords(documents=(INVOICE, NOTE), payments=(PAID,), allocations=(CREDITED,))}


def test_what_the_mapping_knows_counts_more_and_is_not_told_twice() -> None:
    numbered = INVOICE.model_copy(update={"date": date(2026, 9, 22)})
    known = PostedRecords(documents=(numbered,), payments=(PAID,))
    found = include_unmapped_posted({"1": known}, {"1"}, OURS, CONTACTS)
    assert found == {"1": PostedRecords(documents=(numbered, NOTE), payments=(PAID,), allocations=(CREDITED,))}


def test_records_of_others_of_other_orders_and_those_that_are_gone_say_nothing() -> None:
    strangers = [
        document(Kind.INVOICE, "INV-7", "as agreed", "50.00"),
        document(Kind.INVOICE, "SH-1002", "#1002 shopify:2/13", "50.00"),
        document(Kind.INVOICE, "SH-1001", "#1001 shopify:1/11", "100.00", "VOIDED"),
        money(Kind.PAYMENT, "|INV-7", "50.00"),
    ]
    assert include_unmapped_posted({}, {"1"}, strangers, CONTACTS) == {}


def test_money_that_a_person_entered_on_our_invoice_is_not_taken_for_ours() -> None:
    found = include_unmapped_posted({}, {"1"}, [OURS[0], money(Kind.PAYMENT, "|SH-1001", "70.00", "by hand")], CONTACTS)
    assert found == {"1": PostedRecords(documents=(INVOICE,))}


def test_what_shopify_has_blanked_since_is_filled_with_what_xero_shows() -> None:
    fields = {
        "Name": "Ann Lee", "EmailAddress": "ann@example.com", "FirstName": "Ann",
        "Addresses": [{"AddressType": "STREET", "City": "Nelson"}],
    }  # fmt: skip
    element = Element(Kind.CONTACT, fields)
    nameless = contact("7", "Shopify customer 7", last_name="Leigh")
    assert backfill_blanks(nameless, element) == Contact(
        shopify_id="7",
        contact_number="shopify:7",
        name="Ann Lee",
        email="ann@example.com",
        first_name="Ann",
        last_name="Leigh",
        address=PostalAddress(city="Nelson"),
    )
    assert backfill_blanks(item(), element) == item()
