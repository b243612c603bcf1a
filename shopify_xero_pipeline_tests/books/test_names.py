"""People as they come: nameless, namesakes, guests, companies, merged, erased, and names no form foresaw."""

from datetime import date

import pytest

from shopify_xero_pipeline.books.contacts import build_contact, build_order_contact, with_id_suffix
from shopify_xero_pipeline.books.policy import BooksPolicy, ContactPolicy
from shopify_xero_pipeline.books.records import OrderBooks, PostedRecords
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.changes.plan import plan_contacts
from shopify_xero_pipeline.shopify.models import Company, Customer, Order, PhoneNumber
from shopify_xero_pipeline.state.records import MappedRecord
from shopify_xero_pipeline.xero.models import Contact
from shopify_xero_pipeline_tests.books.booking import DAY, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    customer,
    gid,
    ledger_of,
    order,
    refund,
    sale,
    transaction,
)
from shopify_xero_pipeline_tests.support.rows import mapped

POLICY = BooksPolicy()
MONDAY = date(2026, 9, 21)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Zoë 🛍️ Māui", "Zoë 🛍️ Māui"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("田中 さくら", "田中 さくら"),
        ('O\'Brien & Söhne, "GmbH"', 'O\'Brien & Söhne, "GmbH"'),
        ("<script>alert(1)</script>", "scriptalert(1)/script"),
        ("John  Q.   Public", "John Q. Public"),
        ("John\u00a0Smith", "John Smith"),
        ("  ", "Shopify customer 7"),
        ("< >", "Shopify customer 7"),
        ("\x07", "Shopify customer 7"),
    ],
)
def test_a_strange_name_becomes_one_that_xero_takes(given: str, expected: str) -> None:
    assert build_contact(customer(7, given), POLICY).name == expected


def test_a_name_of_300_characters_ends_with_an_ellipsis_and_leaves_room_for_its_id() -> None:
    contact = build_contact(customer(7, "x" * 300), POLICY)
    assert contact.name == "x" * 250 + "…"
    assert with_id_suffix(contact).name == "x" * 250 + "… (7)"


def test_a_customer_with_nothing_but_a_telephone_is_a_contact_with_nothing_but_a_telephone() -> None:
    only_phone = Customer(
        id=gid("Customer", 7),
        display_name="+64 21 123 456",
        default_phone_number=PhoneNumber(phone_number="+6421123456"),
        updated_at=NOON,
    )
    contact = build_contact(only_phone, POLICY)
    assert (contact.name, contact.email, contact.phone) == ("+64 21 123 456", None, "+6421123456")


def test_a_customer_without_e_mail_is_a_contact_by_id() -> None:
    contact = build_contact(customer(7, "Aroha Ngata", None), POLICY)
    assert (contact.contact_number, contact.name, contact.email) == ("shopify:7", "Aroha Ngata", None)


def planned_names(*people: Customer) -> list[str]:
    """Return the names under which new Contacts would be created on one day."""
    contacts = [build_contact(person, POLICY) for person in people]
    (plan,) = plan_contacts({MONDAY: contacts}, KnownRecords())
    assert {line.action for line in plan.changes} == {Action.CREATE}
    return [line.record.name for line in plan.changes if isinstance(line.record, Contact)]


def test_namesakes_are_told_apart_whatever_their_capitals_and_spaces() -> None:
    people = [customer(7, "John Smith"), customer(8, "john  smith", None), customer(9, "<John> Smith", None)]
    assert planned_names(*people) == ["John Smith", "john smith (8)", "John Smith (9)"]


def test_a_customer_and_a_company_called_the_same_are_two_contacts() -> None:
    company = order(agreement(1, sale("1.00")), company=Company(id=gid("Company", 3), name="Acme"))
    contacts = [build_contact(customer(7, "Acme"), POLICY), build_order_contact(company, POLICY)]
    (plan,) = plan_contacts({MONDAY: contacts}, KnownRecords())
    assert [line.record.name for line in plan.changes if isinstance(line.record, Contact)] == ["Acme", "Acme (3)"]


def buyer_of(subject: Order, ledger: PostedRecords | None = None, policy: BooksPolicy | None = None) -> OrderBooks:
    return posted(subject, policy, ledger)


SOLD = agreement(1, sale("100.00"))
PAID = transaction(91, "100.00")
BACK = refunded(2, sale("-30.00", action="RETURN"), refund=31)


def test_guests_of_all_orders_share_one_contact() -> None:
    guests = [order(SOLD, number=number, transactions=[PAID], customer=None) for number in (5001, 5002)]
    contacts = [buyer_of(guest).contact for guest in guests]
    assert contacts[0] == contacts[1]
    assert contacts[0] is not None
    assert (contacts[0].contact_number, contacts[0].name) == ("shopify:guest", "Shopify guest")


def test_the_guests_contact_is_called_as_the_merchant_says() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(guest_name="Counter sales"))
    contact = buyer_of(order(SOLD, transactions=[PAID], customer=None), policy=policy).contact
    assert contact is not None
    assert (contact.contact_number, contact.name) == ("shopify:guest", "Counter sales")


def test_with_a_single_contact_even_a_companys_order_goes_to_it() -> None:
    policy = BooksPolicy(contacts=ContactPolicy(mode="single", guest_name="Web shop"))
    acme = order(SOLD, transactions=[PAID], company=Company(id=gid("Company", 3), name="Acme"))
    contact = buyer_of(acme, policy=policy).contact
    assert contact is not None
    assert contact.name == "Web shop"


@pytest.mark.parametrize("now", [customer(8, "Aroha N."), None])
def test_a_merged_or_erased_customers_order_keeps_the_contact_it_was_posted_to(now: Customer | None) -> None:
    before = buyer_of(order(SOLD, transactions=[PAID]))
    later = order(
        SOLD,
        BACK,
        transactions=[PAID, transaction(92, "30.00", "REFUND", at=NOON + DAY)],
        refunds=[refund(31, 92, at=NOON + DAY)],
    ).model_copy(update={"customer": now})
    after = buyer_of(later, ledger_of(before))
    assert [document.contact_id for document in after.documents] == ["7", "7"]
    assert after.documents[0] == before.documents[0]
    assert after.contact is None


def test_a_customer_erased_before_the_first_posting_is_a_guest() -> None:
    books = buyer_of(order(SOLD, transactions=[PAID]).model_copy(update={"customer": None}))
    assert books.documents[0].contact_id == "guest"


def emptied() -> Customer:
    return Customer(id=gid("Customer", 7), display_name="", updated_at=NOON)


def known_as(contact: Contact) -> KnownRecords:
    row: MappedRecord = mapped(contact)
    return KnownRecords({row.shopify_id: row})


def test_a_customer_emptied_in_shopify_keeps_the_name_and_fields_posted_before() -> None:
    posted_before = build_contact(customer(7, "Aroha Ngata"), POLICY)
    (plan,) = plan_contacts({MONDAY: [build_contact(emptied(), POLICY)]}, known_as(posted_before))
    assert [line.action for line in plan.changes] == [Action.UNCHANGED]


def test_a_customer_who_was_always_nameless_is_renamed_when_a_name_is_given() -> None:
    posted_before = build_contact(emptied(), POLICY)
    (plan,) = plan_contacts({MONDAY: [build_contact(customer(7, "Aroha Ngata"), POLICY)]}, known_as(posted_before))
    assert [line.action for line in plan.changes] == [Action.UPDATE]
