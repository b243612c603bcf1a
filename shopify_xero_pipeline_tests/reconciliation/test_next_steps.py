"""What to do about an order that is not simply posted: parted from its reason, and whole where it is to be pasted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.reconciliation import next_steps
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.books.reasons_in_source import reasons


@pytest.mark.parametrize("reason", reasons())
def test_every_reason_that_blocks_an_order_says_what_happened_and_what_to_do(reason: str) -> None:
    what, remedy = remedies.split_reason(reason)
    assert what
    assert remedy
    assert reason == f"{what}; {remedy}"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_line_to_paste_is_never_cut_whatever_stands_in_it(name: str) -> None:
    line = f"add to books.yaml under payments: '{name}': \"601\""
    assert remedies.split_reason(f"no account for it; if it is paid into 601, {line}") == (
        "no account for it",
        f"if it is paid into 601, {line}",
    )


@pytest.mark.parametrize("outcome", ["waiting", "skipped", "blocked", "postponed", "conflict", "failed"])
def test_every_outcome_but_posted_has_a_remedy_even_where_that_is_nothing(outcome: str) -> None:
    assert next_steps.order_next_step(outcome, "because", (), "#1")[1]


def test_an_order_that_differs_is_compared_by_its_name() -> None:
    why, remedy = next_steps.order_next_step("posted", "", ("sales: 1, 2, 3",), "#1001")
    assert (why, "`shopify-xero status '#1001'`" in remedy) == ("sales: 1, 2, 3", True)
    assert next_steps.order_next_step("posted", "", (), "#1001") == ("", "")


@pytest.mark.parametrize("kind", Kind)
def test_every_conflict_has_a_remedy(kind: Kind) -> None:
    fields = (FieldDiff(field="total", before="1.00", after="2.00"),)
    line = Change(
        action=Action.CONFLICT, kind=kind, shopify_id="1", natural_key="SH-1", reason="a person did it", xero_id="x",
        fields=fields,
    )  # fmt: skip
    leave = "shopify-xero dismiss --key SH-1 --because TEXT"
    assert next_steps.conflict_next_step(line) == (
        "a person did it",
        f"{next_steps.OF_CONFLICT[kind]}; or leave it as it is: {leave}",
    )
    plain = line.model_copy(update={"action": Action.UPDATE})
    assert next_steps.conflict_next_step(plain) == ("a person did it", "")


def test_a_voided_document_cannot_be_set_back_and_what_is_not_in_xero_cannot_be_removed_there() -> None:
    voided = Change(action=Action.CONFLICT, kind=Kind.INVOICE, shopify_id="1", natural_key="SH-1", xero_id="x")
    assert next_steps.conflict_next_step(voided)[1] == (
        "Xero cannot restore it: enter its replacement there, if it needs one; or leave it as it is: "
        "shopify-xero dismiss --key SH-1 --because TEXT"
    )
    held = voided.model_copy(update={"xero_id": None, "order_name": "#1"})
    assert next_steps.conflict_next_step(held)[1] == (
        "it is not in Xero: fix the cause in the reason there, then run the day again; or leave it as it is: "
        "shopify-xero dismiss --key '#1' --because TEXT"
    )
