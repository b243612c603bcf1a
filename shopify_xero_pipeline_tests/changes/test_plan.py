from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.plan import has_writes, plan_contacts, plan_orders, plan_records
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Kind
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY, mapped, shown, shown_record

NEXT = date(2026, 9, 22)


def known(*records: AnyRecord, mirror: tuple[MirrorRecord, ...] = ()) -> KnownRecords:
    return KnownRecords({record.shopify_id: mapped(record, f"x-{n}") for n, record in enumerate(records)}, mirror)


def person(name: str, key: str = "", status: str = "ACTIVE", xero_id: str = "p-1", email: str = "") -> MirrorRecord:
    return shown(Kind.CONTACT, xero_id, key, status, Name=name, EmailAddress=email)


def books(outcome: Outcome = Outcome.POST, reason: str = "", **more: Any) -> OrderBooks:
    zero = Decimal(0)
    figures = {"sales": Decimal("100.00"), "tax": zero, "money": zero, "outstanding": zero}
    return OrderBooks(
        order_id="1", order_name="#1001", outcome=outcome, reason=reason, currency="NZD", **figures, **more
    )


def name_of(line: Change) -> str:
    assert isinstance(line.record, Contact)
    return line.record.name


def actions(change_sets: Sequence[ChangeSet]) -> list[list[Action]]:
    return [[line.action for line in change_set.changes] for change_set in change_sets]


def test_each_day_gets_its_own_change_set_in_the_order_of_days() -> None:
    plans = plan_records(Kind.ITEM, {NEXT: [item("6", "B")], DAY: [item("5", "A")]}, KnownRecords())
    assert [(plan.day, [line.natural_key for line in plan.changes]) for plan in plans] == [(DAY, ["A"]), (NEXT, ["B"])]


def test_a_record_wanted_on_two_days_is_created_once() -> None:
    plans = plan_records(Kind.ITEM, {DAY: [item()], NEXT: [item()]}, KnownRecords())
    assert actions(plans) == [[Action.CREATE], [Action.UNCHANGED]]
    assert plans[1].changes[0].reason == "planned with 2026-09-21"


def test_a_plan_without_a_change_writes_nothing() -> None:
    assert not has_writes(plan_records(Kind.ITEM, {DAY: [item()], NEXT: [item()]}, known(item())))
    assert has_writes(plan_records(Kind.ITEM, {DAY: [item()]}, KnownRecords()))


def test_of_two_new_customers_called_the_same_the_second_gets_its_id_in_the_name() -> None:
    plans = plan_contacts({DAY: [contact("7", "John Smith"), contact("8", "john smith")]}, KnownRecords())
    assert [name_of(line) for line in plans[0].changes] == ["John Smith", "john smith (8)"]


def test_a_name_a_person_uses_in_xero_is_given_up_for_one_with_the_id() -> None:
    plans = plan_contacts({DAY: [contact("7", "John Smith")]}, known(mirror=(person("John Smith"),)))
    assert name_of(plans[0].changes[0]) == "John Smith (7)"
    assert plans[0].changes[0].action is Action.CREATE


def test_the_name_of_an_archived_contact_is_free() -> None:
    plans = plan_contacts({DAY: [contact("7", "John Smith")]}, known(mirror=(person("John Smith", status="ARCHIVED"),)))
    assert name_of(plans[0].changes[0]) == "John Smith"


def test_a_name_posted_with_the_id_keeps_it_when_the_clash_is_gone() -> None:
    plans = plan_contacts({DAY: [contact("7", "John Smith")]}, known(contact("7", "John Smith (7)")))
    assert actions(plans) == [[Action.UNCHANGED]]


def test_our_own_contact_in_xero_is_no_clash_with_itself() -> None:
    mirror = (person("John Smith", key="shopify:7", xero_id="x-0"),)
    assert actions(
        plan_contacts({DAY: [contact("7", "John Smith")]}, known(contact("7", "John Smith"), mirror=mirror))
    ) == [[Action.UNCHANGED]]


def test_our_contact_that_the_mapping_lost_is_adopted_by_its_number() -> None:
    mirror = (person("John Smith", key="shopify:7"),)
    plans = plan_contacts({DAY: [contact("7", "John Smith")]}, known(mirror=mirror))
    assert (plans[0].changes[0].action, plans[0].changes[0].xero_id) == (Action.ADOPT, "p-1")


def test_a_persons_contact_with_the_same_name_and_e_mail_is_adopted() -> None:
    wanted = contact("7", "John Smith", email="john@example.com")
    plans = plan_contacts({DAY: [wanted]}, known(mirror=(person("john smith", email="JOHN@example.com"),)))
    line = plans[0].changes[0]
    assert (line.action, line.xero_id, name_of(line)) == (Action.ADOPT, "p-1", "John Smith")


def test_where_the_policy_says_so_nobodys_contact_is_adopted() -> None:
    theirs = known(mirror=(person("John Smith", email="john@example.com"),))
    wanted = contact("7", "John Smith", email="john@example.com")
    line = plan_contacts({DAY: [wanted]}, theirs, adopt=False)[0].changes[0]
    assert (line.action, name_of(line)) == (Action.CREATE, "John Smith (7)")


def test_an_e_mail_two_people_share_adopts_nobody() -> None:
    both = (person("John Smith", email="j@example.com"), person("Jo Smith", email="j@example.com", xero_id="p-2"))
    line = plan_contacts({DAY: [contact("7", "John Smith", email="j@example.com")]}, known(mirror=both))[0].changes[0]
    assert (line.action, name_of(line)) == (Action.CREATE, "John Smith (7)")


def test_a_contact_of_the_same_e_mail_with_a_number_of_its_own_is_not_adopted() -> None:
    theirs = (person("John Smith", key="crm-5", email="j@example.com"),)
    line = plan_contacts({DAY: [contact("7", "John Smith", email="j@example.com")]}, known(mirror=theirs))[0].changes[0]
    assert line.action is Action.CREATE


def test_the_invoices_plan_names_every_order_that_is_not_posted() -> None:
    wanted = {
        DAY: [books(Outcome.WAITING, "not paid yet"), books(Outcome.BLOCKED, "no rule"), books(Outcome.SKIPPED, "test")]
    }
    plans = plan_orders(Kind.INVOICE, wanted, KnownRecords())
    assert actions(plans) == [[Action.WAITING, Action.BLOCKED, Action.SKIPPED]]
    assert plans[0].changes[0].reason == "not paid yet"
    assert actions(plan_orders(Kind.CREDIT_NOTE, wanted, KnownRecords())) == [[]]


def test_each_kind_gets_its_own_records_of_an_order() -> None:
    note = credit_note()
    order = books(
        documents=(invoice(), note),
        payments=(payment(amount="70.00"),),
        allocations=(allocation(note, invoice(), "30.00"),),
    )
    found = {
        kind: plan_orders(kind, {DAY: [order]}, KnownRecords())[0].changes
        for kind in (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
    }
    assert [line.natural_key for line in found[Kind.INVOICE]] == ["SH-1001"]
    assert [line.natural_key for line in found[Kind.CREDIT_NOTE]] == ["SH-1001-R12"]
    assert [line.kind for line in found[Kind.PAYMENT]] == [Kind.PAYMENT, Kind.ALLOCATION]


def test_an_order_whose_contact_was_archived_is_blocked_and_named() -> None:
    contacts = known(contact(), mirror=(person("Ann Lee", "shopify:7", "ARCHIVED", "x-0"),))
    order = books(documents=(invoice(),), payments=(payment(),))
    for kind in (Kind.INVOICE, Kind.PAYMENT):
        (line,) = plan_orders(kind, {DAY: [order]}, KnownRecords(), contacts)[0].changes
        assert (line.action, line.order_name) == (Action.BLOCKED, "#1001")
        assert line.reason == "its Contact is archived in Xero; restore the Contact there and run the day again"


def test_an_order_posted_before_its_contact_was_archived_is_left_in_peace() -> None:
    order = books(documents=(invoice(),))
    contacts = known(contact(), mirror=(person("Ann Lee", "shopify:7", "ARCHIVED", "x-0"),))
    plans = plan_orders(Kind.INVOICE, {DAY: [order]}, known(invoice()), contacts)
    assert actions(plans) == [[Action.UNCHANGED]]


def test_an_allocation_that_stands_in_the_way_of_later_money_is_taken_back_first() -> None:
    note = credit_note()
    order = books(documents=(invoice(), note), payments=(payment(),))
    lines = plan_orders(Kind.PAYMENT, {DAY: [order]}, known(allocation(note, invoice(), "30.00")))[0].changes
    assert [(line.kind, line.action) for line in lines] == [
        (Kind.ALLOCATION, Action.DELETE),
        (Kind.PAYMENT, Action.CREATE),
    ]
    assert (
        lines[0].reason
        == "a later payment needs its amount on the document; it is deleted before that payment is written"
    )
    assert lines[0].xero_id is not None
    assert has_writes([ChangeSet(kind=Kind.PAYMENT, day=DAY, changes=lines[:1])])


def test_what_a_complete_list_of_xero_no_longer_shows_was_removed_by_a_person() -> None:
    note = credit_note()
    allocated = allocation(note, invoice(), "30.00")
    order = books(documents=(invoice(), note), allocations=(allocated,))
    mapped = known(allocated).mapped
    unseen = plan_orders(Kind.PAYMENT, {DAY: [order]}, KnownRecords(mapped))[0].changes
    assert [line.action for line in unseen] == [Action.UNCHANGED]
    (line,) = plan_orders(Kind.PAYMENT, {DAY: [order]}, KnownRecords(mapped, listed=[Kind.ALLOCATION]))[0].changes
    assert line.action is Action.CONFLICT
    assert line.reason == "Xero shows it deleted by a person; it is reported and not created again"


def test_a_live_document_counts_before_a_voided_one_of_the_same_number() -> None:
    mirror = (shown_record(invoice(), "x-8"), shown_record(invoice(), "x-9", status="VOIDED"))
    plans = plan_records(Kind.INVOICE, {DAY: [invoice()]}, KnownRecords({}, mirror))
    assert (plans[0].changes[0].action, plans[0].changes[0].xero_id) == (Action.ADOPT, "x-8")
