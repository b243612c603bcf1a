"""What people do in Xero to records of ours is found within a day, listed with both sides, and never written over."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.models import Action, Change
from shopify_xero_pipeline.sandbox.xero.records import Document
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, just_as_far, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry, plans

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A day's orders in Xero, six weeks later: nothing of them changes any more."""
    with staged(tmp_path_factory.mktemp("carried"), at(FIRST + timedelta(days=42))) as stage:
        carry(stage.sync_service, [FIRST])
        yield stage


@pytest.fixture
def stage(carried: Stage, tmp_path: Path) -> Iterator[Stage]:
    with just_as_far(carried, tmp_path) as stage:
        yield stage


def a_day_later(stage: Stage) -> list[Change]:
    """Run the day again when Xero has not been looked at for a day; return what is said of it but unchanged."""
    stage.clock.sleep(86_401)
    size = stage.size()
    stage.sync_service.connections.close()
    found = [one for change_sets in plans(stage.restart(), [FIRST]) for one in change_sets]
    for one in found:
        stage.sync_service.loader.load([one], "a day later")
    assert stage.size() == size
    return [line for one in found for line in one.changes if line.action is Action.CONFLICT]


def paid_invoice(stage: Stage) -> Document:
    documents = stage.sandbox.books.documents.values()
    return next(one for one in documents if one.status == "PAID" and not one.is_credit_note and not one.credited)


def test_nothing_done_by_people_is_nothing_to_say(stage: Stage) -> None:
    assert a_day_later(stage) == []


def test_an_invoice_a_person_edited_is_listed_field_by_field(stage: Stage) -> None:
    document = paid_invoice(stage)
    other = next(one for one in stage.sandbox.books.contacts.values() if one.id != document.contact_id)
    was = document.contact_id, document.date.isoformat(), document.lines[0].account_code
    document.lines[0].account_code = "260"
    stage.person.edit_document(document, contact_id=other.id, date=document.date + timedelta(days=1))

    (line,) = a_day_later(stage)

    assert (line.kind, line.natural_key) == (Kind.INVOICE, document.number)
    assert {field.field: (field.before, field.after) for field in line.fields} == {
        "contact": (other.id, was[0]),
        "date": (document.date.isoformat(), was[1]),
        "lines.0.account_code": ("260", was[2]),
    }
    assert line.reason == "a person changed date, lines.0.account_code, contact in Xero; Xero's values stay"


def test_other_words_of_a_line_are_left_to_people(stage: Stage) -> None:
    document = paid_invoice(stage)
    document.lines[0].description = "As agreed by telephone"
    stage.person.edit_document(document)
    assert a_day_later(stage) == []


def test_another_day_on_which_it_is_due_is_reported_with_both_sides_and_kept(stage: Stage) -> None:
    document = paid_invoice(stage)
    due, later = document.due_date, document.date + timedelta(days=30)
    stage.person.edit_document(document, due_date=later)

    (line,) = a_day_later(stage)

    assert line.reason == "a person changed due_date in Xero; Xero's values stay"
    assert [(one.field, one.before, one.after) for one in line.fields] == [("due_date", str(later), str(due))]


def test_another_item_on_a_line_is_reported_and_makes_the_day_unequal(stage: Stage) -> None:
    named = (one for one in stage.sandbox.books.documents.values() if one.lines[0].item_code)
    document = next(named)
    code = document.lines[0].item_code
    document.lines[0].item_code = ""
    stage.person.edit_document(document)

    (line,) = a_day_later(stage)

    assert [(one.field, one.before, one.after) for one in line.fields] == [("lines.0.item_code", "", code)]
    days = stage.sync_service.reconciler.reconcile(stage.sync_service.extractor.read_orders([FIRST]))
    problems = [problem for day in days for row in day.unequal for problem in row.problems]
    assert problems == [f"{line.kind} {document.number}: lines.0.item_code posted {code}, Xero shows none"]


def test_an_invoice_a_person_voided_is_reported_with_its_payment_and_not_posted_again(stage: Stage) -> None:
    document = paid_invoice(stage)
    stage.person.void_document(document)

    found = a_day_later(stage)

    assert {(line.kind, document.number in line.natural_key) for line in found} == {
        (Kind.INVOICE, True),
        (Kind.PAYMENT, True),
    }
    assert {line.reason for line in found} == {
        "Xero shows it voided by a person; it is reported and not created again",
        "Xero shows it deleted by a person; it is reported and not created again",
    }


def test_a_payment_a_person_deleted_is_reported_and_not_made_again(stage: Stage) -> None:
    payment = next(iter(stage.sandbox.books.payments.values()))
    stage.person.delete_payment(payment)
    assert [(line.kind, line.xero_id) for line in a_day_later(stage)] == [(Kind.PAYMENT, payment.id)]


def test_a_payment_a_person_entered_on_our_invoice_is_listed_with_its_amount_and_account(stage: Stage) -> None:
    document = paid_invoice(stage)
    stage.person.delete_payment(stage.sandbox.books.payments_of(document)[0])
    own = stage.person.pay(document, Decimal("1.50"), "090", FIRST)

    theirs = next(line for line in a_day_later(stage) if line.xero_id == own.id)

    assert (theirs.kind, theirs.natural_key, theirs.amount) == (Kind.PAYMENT, f"|{document.number}", Decimal("1.50"))
    assert [(field.field, field.before, field.after) for field in theirs.fields] == [
        ("amount", "1.50", None),
        ("account", "090", None),
    ]


def test_credit_a_person_set_against_our_invoice_is_listed(stage: Stage) -> None:
    document = paid_invoice(stage)
    stage.person.delete_payment(stage.sandbox.books.payments_of(document)[0])
    note = stage.person.enter_credit_note(
        {
            "Type": "ACCRECCREDIT",
            "Status": "AUTHORISED",
            "Contact": {"ContactID": document.contact_id},
            "LineItems": [{"Description": "Goodwill", "Quantity": 1, "UnitAmount": Decimal(2), "AccountCode": "200"}],
        }
    )
    stage.person.allocate(note, document, Decimal("2.00"))

    found = a_day_later(stage)

    assert [line.amount for line in found if line.kind is Kind.ALLOCATION] == [Decimal("2.00")]


def test_an_item_a_person_deleted_or_renamed_is_listed(stage: Stage) -> None:
    first, second = list(stage.sandbox.books.items.values())[:2]
    stage.sandbox.books.items.pop(first.id)
    second.name, second.updated = "Another name", stage.clock.now()

    found = {line.natural_key: line for line in a_day_later(stage)}

    assert found[first.code].reason == "Xero shows it deleted by a person; it is reported and not created again"
    assert found[second.code].reason == "a person changed name in Xero; Xero's values stay"


def test_a_contact_a_person_merged_into_another_is_no_conflict_for_its_documents(stage: Stage) -> None:
    books = stage.sandbox.books
    document = paid_invoice(stage)
    other = next(one for one in books.contacts.values() if one.id != document.contact_id)
    stage.person.merge_contacts(books.contacts[document.contact_id], other)
    assert a_day_later(stage) == []
    assert document.contact_id == other.id
