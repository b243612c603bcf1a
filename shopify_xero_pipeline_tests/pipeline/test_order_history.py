"""From a number someone reads in Xero back to the order, its day, its runs and its requests."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.pipeline.order_history import OrderHistory, order_histories
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.support.stage import Stage, at, just_as_far, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

pytestmark = pytest.mark.campaign

NOTHING = "SH-0000"


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A day's orders in Xero but for one Invoice, which Xero refuses."""
    with staged(tmp_path_factory.mktemp("carried"), at(FIRST + timedelta(days=3))) as stage:
        rule = Fault(kind=FaultKind.REFUSED, path="/Invoices", body='"SH-1004"', answer="Account archived", times=None)
        stage.sandbox.faults.add(rule)
        carry(stage.sync_service, [FIRST])
        stage.sandbox.faults.clear()
        yield stage


@pytest.fixture
def stage(carried: Stage, tmp_path: Path) -> Iterator[Stage]:
    with just_as_far(carried, tmp_path) as stage:
        yield stage


def one(stage: Stage, name: str) -> OrderHistory:
    (found,) = order_histories(stage.sync_service, name, [FIRST])
    return found


def test_an_order_is_found_by_its_name_its_id_and_the_number_of_each_of_its_documents(stage: Stage) -> None:
    by_name = one(stage, "#1001")
    documents = [record.name for record in by_name.records if record.kind in ("invoice", "credit_note")]
    assert documents
    for name in (by_name.order_id, *documents):
        assert one(stage, name) == by_name
    assert order_histories(stage.sync_service, NOTHING, [FIRST]) == []


def test_what_is_in_xero_names_its_page_its_run_and_the_request_it_came_with(stage: Stage) -> None:
    found = one(stage, "#1001")
    invoice = next(record for record in found.records if record.kind == "invoice")
    assert (found.outcome, found.standing, found.day) == ("posted", Standing.AGREE, FIRST)
    assert (
        found.page
        == f"https://admin.shopify.com/store/{stage.sync_service.connections.shop_handle}/orders/{found.order_id}"
    )
    (shown,) = [one for one in stage.sandbox.books.documents.values() if one.number == invoice.name]
    assert (invoice.state, invoice.xero_id, invoice.amount) == ("in Xero", shown.id, str(shown.total))
    assert invoice.page == f"https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={shown.id}"
    (step,) = invoice.steps
    assert (step.verb, step.state, step.request, step.http_status) == ("create", "created", "PUT /Invoices", 200)
    assert step.sent_at is not None
    assert step.correlation_id


def test_what_was_refused_says_why_when_it_is_tried_again_and_what_waits_for_it(stage: Stage) -> None:
    found = one(stage, "SH-1004")
    invoice = next(record for record in found.records if record.kind == "invoice")
    assert (found.standing, invoice.state, invoice.xero_id, invoice.page) == (Standing.DISAGREE, "refused", "", "")
    assert "Account archived" in invoice.reason
    assert invoice.next_try is not None
    assert invoice.steps[-1].state == "refused"
    payment = next(record for record in found.records if record.kind == "payment")
    assert (payment.state, payment.reason) == (
        "planned, not sent yet",
        "waits for its Invoice SH-1004, which is not in Xero yet",
    )


def test_an_order_that_needs_a_person_is_found_although_nothing_of_it_was_planned(stage: Stage) -> None:
    (day,) = stage.sync_service.reconciliations.of_days([FIRST])
    others = [row for row in day.rows if row.outcome in ("blocked", "skipped", "waiting")]
    assert others
    for row in others:
        found = one(stage, row.order_name)
        assert (found.outcome, found.reason, found.records) == (row.outcome, row.reason, ())
