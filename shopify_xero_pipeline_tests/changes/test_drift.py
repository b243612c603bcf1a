from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.compare import plan_record
from shopify_xero_pipeline.changes.decisions import Decisions
from shopify_xero_pipeline.changes.held_orders import held_orders
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.changes.plan import plan_orders
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Kind, Payment, PostalAddress
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY, mapped, shown, shown_record

WHOLE = contact(
    email="ann@example.com",
    first_name="Ann",
    phone="021 1",
    address=PostalAddress(line1="1 Pa Rd", city="Ōtaki"),
)


def shown_contact(**changed: Any) -> MirrorRecord:
    element: dict[str, Any] = {
        "Name": "Ann Lee",
        "FirstName": "Ann",
        "EmailAddress": "Ann@Example.com",
        "Phones": [{"PhoneType": "FAX"}, {"PhoneType": "DEFAULT", "PhoneNumber": "021 1"}],
        "Addresses": [
            {"AddressType": "POBOX", "City": "Elsewhere"},
            {"AddressType": "STREET", "AddressLine1": "1 Pa  Rd ", "City": "Ōtaki"},
        ],
    }
    return shown(Kind.CONTACT, key="shopify:7", status="ACTIVE", **{**element, **changed})


def edits(record: Contact, mirror: MirrorRecord) -> list[tuple[str, str | None, str | None]]:
    line = plan_record(record, mapped(WHOLE), mirror)
    assert line.action in (Action.CONFLICT, Action.UNCHANGED)
    return [(field.field, field.before, field.after) for field in line.fields]


def test_case_and_spacing_are_no_persons_change() -> None:
    assert edits(WHOLE, shown_contact()) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"FirstName": "Anna"}, ("first_name", "Anna", "Ann")),
        ({"EmailAddress": ""}, ("email", "", "ann@example.com")),
        ({"Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "021 2"}]}, ("phone", "021 2", "021 1")),
        ({"Addresses": [{"AddressType": "STREET", "City": "Levin"}]}, ("address.city", "Levin", "Ōtaki")),
    ],
)
def test_every_field_of_a_contact_that_a_person_changed_is_named_with_both_sides(
    changed: dict[str, object], named: tuple[str, str, str]
) -> None:
    assert edits(WHOLE, shown_contact(**changed)) == [named]


def test_a_price_a_person_changed_is_named() -> None:
    posted = item(unit_price=Decimal("12.50"))
    same = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", SalesDetails={"UnitPrice": Decimal("12.5")})
    other = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", SalesDetails={"UnitPrice": Decimal("13.00")})
    assert plan_record(posted, mapped(posted), same).action is Action.UNCHANGED
    assert [field.field for field in plan_record(posted, mapped(posted), other).fields] == ["unit_price"]


@pytest.mark.parametrize("restore", [False, True])
def test_a_document_a_person_changed_is_never_rewritten(restore: bool) -> None:
    theirs = shown(
        Kind.INVOICE, key="SH-1001", Date="/Date(1790035200000+0000)/", Total=Decimal(101), LineItems=[{}, {}]
    )
    line = plan_record(invoice(), mapped(invoice()), theirs, restore=restore)
    assert line.action is Action.CONFLICT
    assert [(field.field, field.before, field.after) for field in line.fields] == [
        ("date", "2026-09-22", "2026-09-21"),
        ("total", "101", "100.00"),
        ("lines", "2", "1"),
    ]


def test_a_contact_archived_in_xero_keeps_what_it_has() -> None:
    archived = shown(Kind.CONTACT, key="shopify:7", status="ARCHIVED", Name="Ann Lee")
    changed = contact(phone="222")
    assert plan_record(contact(), mapped(contact()), archived).action is Action.UNCHANGED
    line = plan_record(changed, mapped(contact(phone="111")), archived)
    assert (line.action, [field.field for field in line.fields]) == (Action.CONFLICT, ["phone"])
    assert line.reason == "archived in Xero by a person; restore it there to apply Shopify's changes"


def test_a_contact_merged_into_another_is_left_to_that_one() -> None:
    merged = shown(Kind.CONTACT, key="shopify:7", status="ARCHIVED", Name="Ann Lee", MergedToContactID="x-2")
    line = plan_record(contact(phone="222"), mapped(contact(phone="111")), merged)
    assert (line.action, line.reason) == (
        Action.UNCHANGED,
        "a person merged it into another Contact in Xero, which its documents use",
    )


def order(**more: object) -> OrderBooks:
    zero = Decimal(0)
    named = {"order_id": "1", "order_name": "#1001", "outcome": Outcome.POST, "currency": "NZD"}
    return OrderBooks(**named, sales=zero, tax=zero, money=zero, outstanding=zero, **more)


def planned(books: OrderBooks, *records: AnyRecord, mirror: tuple[MirrorRecord, ...]) -> list[tuple[str, str, Action]]:
    known = KnownRecords({record.shopify_id: mapped(record, f"x-{n}") for n, record in enumerate(records)}, mirror)
    lines = plan_orders(Kind.PAYMENT, {DAY: [books]}, known)[0].changes
    return [(line.kind.value, line.natural_key, line.action) for line in lines]


BY_HAND = shown(Kind.PAYMENT, "p-9", "cheque|SH-1001", Amount=Decimal("40.00"), Account={"Code": "090"})


def test_nothing_new_is_placed_beside_money_a_person_put_on_our_document() -> None:
    note = credit_note()
    books = order(documents=(invoice(), note), payments=(payment(), payment("22", "30.00", note)))
    assert planned(books, mirror=(BY_HAND,)) == [
        ("payment", "cheque|SH-1001", Action.CONFLICT),
        ("payment", "shopify:1/21|SH-1001", Action.CONFLICT),
        ("payment", "shopify:1/22|SH-1001-R12", Action.CREATE),
    ]


def test_credit_is_not_taken_back_beside_money_of_a_person() -> None:
    note = credit_note()
    books = order(documents=(invoice(), note), payments=(payment(),))
    assert planned(books, allocation(note, invoice(), "30.00"), mirror=(BY_HAND,)) == [
        ("payment", "cheque|SH-1001", Action.CONFLICT),
        ("allocation", "SH-1001-R12|SH-1001|30", Action.CONFLICT),
        ("payment", "shopify:1/21|SH-1001", Action.CONFLICT),
    ]


def entered(amount: str, xero_id: str = "p-9", document: str = "SH-1001") -> MirrorRecord:
    account, day = {"Code": "090"}, "2026-09-24T00:00:00"
    money: dict[str, Any] = {"Amount": Decimal(amount), "Account": account, "DateString": day, "Reference": "cheque"}
    return shown(Kind.PAYMENT, xero_id, f"cheque|{document}", **money)


def test_a_persons_money_of_the_same_amount_on_the_same_document_is_taken_for_ours_as_they_entered_it() -> None:
    books = order(documents=(invoice(),), payments=(payment(),))

    (line,) = plan_orders(Kind.PAYMENT, {DAY: [books]}, KnownRecords({}, [entered("100.00")]))[0].changes

    assert (line.action, line.xero_id, line.natural_key) == (Action.ADOPT, "p-9", "shopify:1/21|SH-1001")
    assert isinstance(line.record, Payment)
    taken = (line.record.account_code, line.record.date, line.record.reference, line.record.amount)
    assert taken == ("090", date(2026, 9, 24), "cheque", Decimal("100.00"))
    assert line.reason == "a person entered it in Xero on 2026-09-24, account 090; it is adopted as this payment"


def test_one_payment_of_a_person_is_taken_for_one_of_ours_and_what_is_left_is_not_placed_beside_another() -> None:
    two = (payment("21", "50.00"), payment("22", "50.00"))
    books = order(documents=(invoice(),), payments=two)
    assert planned(books, mirror=(entered("50.00"),)) == [
        ("payment", "shopify:1/21|SH-1001", Action.ADOPT),
        ("payment", "shopify:1/22|SH-1001", Action.CREATE),
    ]
    assert planned(books, mirror=(entered("50.00"), entered("1.00", "p-8"))) == [
        ("payment", "cheque|SH-1001", Action.CONFLICT),
        ("payment", "shopify:1/21|SH-1001", Action.ADOPT),
        ("payment", "shopify:1/22|SH-1001", Action.CONFLICT),
    ]


@pytest.mark.parametrize("theirs", [entered("99.99"), entered("100.00", document="SH-1002")])
def test_money_of_another_amount_or_on_another_document_is_not_taken_for_ours(theirs: MirrorRecord) -> None:
    books = order(documents=(invoice(),), payments=(payment(),))
    assert Action.ADOPT not in [action for *_, action in planned(books, mirror=(theirs,))]


VOIDED = shown(Kind.INVOICE, "x-1", "SH-1001", "VOIDED")


def held(
    mirror: MirrorRecord, contacts: Mapping[str, str] | None = None, decisions: Decisions | None = None
) -> dict[str, str]:
    books = order(documents=(invoice(), credit_note()))
    return held_orders([books], {"1/11": mapped(invoice())}, {"x-1": mirror}, contacts or {}, decisions or {})


def test_of_an_order_whose_document_a_person_voided_or_changed_nothing_more_is_written() -> None:
    assert held(VOIDED) == {
        "1": "held back because of SH-1001: Xero shows it voided by a person; it is reported and not created again. "
        "Compare both sides in Xero and correct them"
    }
    assert held(shown(Kind.INVOICE, key="SH-1001", Total=Decimal("90.00"))).keys() == {"1"}
    assert held(shown(Kind.INVOICE, key="SH-1001", Contact={"ContactID": "c-2"}), {"7": "c-1"}).keys() == {"1"}


def test_another_due_day_or_link_holds_nothing_back() -> None:
    assert held(shown(Kind.INVOICE, key="SH-1001", DueDateString="2026-12-24T00:00:00")) == {}
    assert held(shown(Kind.INVOICE, key="SH-1001")) == {}


def test_what_is_held_back_is_what_would_be_written_and_nothing_else() -> None:
    note = credit_note()
    books = order(documents=(invoice(), note), payments=(payment(),))
    known = KnownRecords({payment().shopify_id: mapped(payment())}, [shown_record(payment())])
    kinds = (Kind.CREDIT_NOTE, Kind.PAYMENT)
    found = [plan_orders(kind, {DAY: [books]}, known, held_orders={"1": "held back"})[0].changes for kind in kinds]
    assert [(line.action, line.reason) for lines in found for line in lines] == [
        (Action.CONFLICT, "held back"),
        (Action.UNCHANGED, ""),
    ]


def test_money_that_is_left_to_others_is_no_conflict_and_ours_is_placed_beside_it() -> None:
    books = order(documents=(invoice(),), payments=(payment(),), waits_for_others=True)
    assert planned(books, mirror=(BY_HAND,)) == [("payment", "shopify:1/21|SH-1001", Action.CREATE)]


def test_money_of_ours_that_is_not_in_the_mapping_yet_is_no_strangers() -> None:
    books = order(documents=(invoice(),), payments=(payment(),))
    assert planned(books, mirror=(shown_record(payment(), "p-1"),)) == [
        ("payment", "shopify:1/21|SH-1001", Action.ADOPT)
    ]


def test_money_a_person_deleted_again_or_put_elsewhere_is_no_strangers() -> None:
    deleted = BY_HAND.model_copy(update={"status": "DELETED"})
    elsewhere = shown(Kind.PAYMENT, "p-8", "cheque|INV-7", Amount=Decimal(1))
    credit = shown(Kind.ALLOCATION, "a-1", "CN-5|INV-7|100", Amount=Decimal(100))
    books = order(documents=(invoice(number="100"),))
    assert planned(books, mirror=(deleted, elsewhere, credit)) == []
