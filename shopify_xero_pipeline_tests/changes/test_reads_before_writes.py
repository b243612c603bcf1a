"""Tests of what is read from Xero before a plan writes."""

import pytest

from shopify_xero_pipeline.changes.models import Action, ChangeSet
from shopify_xero_pipeline.changes.reads_before_writes import documents_of_money, kinds_to_read
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.support.records import allocation, contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.world import change_set

ORDER, NOTE = invoice(), credit_note()
PAID, SETTLED = payment(ORDER), allocation(NOTE, ORDER)
OF_MONEY = {Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT}


@pytest.mark.parametrize(
    ("record", "kinds"),
    [
        (contact(), {Kind.CONTACT}),
        (item(), {Kind.ITEM}),
        (ORDER, {Kind.CONTACT, Kind.INVOICE}),
        (NOTE, {Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE}),
        (PAID, set()),
        (SETTLED, set()),
    ],
)
def test_a_new_record_depends_on_what_may_already_be_in_xero(record: AnyRecord, kinds: set[Kind]) -> None:
    assert kinds_to_read([change_set(record)], ()) == kinds


def test_money_on_a_posted_document_depends_on_the_document_and_its_money() -> None:
    assert documents_of_money([change_set(PAID), change_set(SETTLED)]) == {ORDER.shopify_id, NOTE.shopify_id}
    assert kinds_to_read([change_set(PAID)], {ORDER.shopify_id}) == OF_MONEY
    assert kinds_to_read([change_set(SETTLED)], {NOTE.shopify_id}) == {Kind.INVOICE, Kind.CREDIT_NOTE}
    assert kinds_to_read([change_set(SETTLED)], {ORDER.shopify_id}) == {Kind.INVOICE, Kind.CREDIT_NOTE}


def test_money_that_is_adopted_or_deleted_is_in_xero_whatever_is_posted() -> None:
    adopted = change_set(PAID, action=Action.ADOPT, xero_id="x-1")
    deleted = change_set(SETTLED, action=Action.DELETE, xero_id="x-2")
    assert kinds_to_read([adopted], ()) == OF_MONEY
    assert kinds_to_read([deleted], ()) == {Kind.INVOICE, Kind.CREDIT_NOTE}


@pytest.mark.parametrize("action", [Action.UNCHANGED, Action.WAITING, Action.SKIPPED, Action.BLOCKED])
def test_a_plan_that_writes_nothing_reads_nothing(action: Action) -> None:
    plans: list[ChangeSet] = [change_set(ORDER, action=action), change_set(PAID, action=action)]
    assert kinds_to_read(plans, {ORDER.shopify_id}) == set()
    assert documents_of_money(plans) == set()


def test_after_a_conflict_everything_is_read() -> None:
    assert kinds_to_read([change_set(PAID, action=Action.CONFLICT)], ()) == {*Kind}
