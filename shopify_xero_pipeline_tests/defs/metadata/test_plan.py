"""The metadata of a plan: counts, amounts, a table and a diff, with limits, and nothing about a customer."""

from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.defs.metadata.records import plan_metadata
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.defs.metadata.shown import LINKS, ORDER_LINK, rows_of, text
from shopify_xero_pipeline_tests.support.rows import DAY


def change(**given: Any) -> Change:
    plain = {
        "action": Action.CREATE,
        "kind": Kind.INVOICE,
        "shopify_id": "5001/77",
        "natural_key": "SH-1001",
        "order_id": "5001",
        "order_name": "#1001",
        "amount": Decimal("23.00"),
        "currency": "NZD",
    }
    return Change.model_validate(plain | given)


def plan(*changes: Change) -> dict[str, Any]:
    return plan_metadata(ChangeSet(kind=Kind.INVOICE, day=DAY, changes=changes), LINKS)


def test_a_plan_shows_counts_money_a_table_and_a_diff() -> None:
    field = FieldDiff(field="total", before="20.00", after="23.00")
    shown = plan(
        change(),
        change(action=Action.UPDATE, fields=(field,), reason="the order was edited"),
        change(action=Action.UNCHANGED, natural_key="SH-1000"),
        change(action=Action.ADOPT, amount=Decimal("1000"), currency="AUD"),
    )
    assert shown["dagster/row_count"] == 4
    assert (shown["create"], shown["update"], shown["adopt"], shown["unchanged"], shown["blocked"]) == (1, 1, 1, 1, 0)
    assert text(shown["planned amount"]) == "1,000.00 AUD  \n23.00 NZD"
    assert [record.data["action"] for record in shown["plan"].records] == ["create", "update", "adopt"]
    assert shown["plan"].records[0].data["amount"] == "23.00 NZD"
    diff = text(shown["diff"])
    assert f"**+ create invoice SH-1001** for order {ORDER_LINK}" in diff
    assert "**~ update invoice SH-1001**" in diff
    assert ": the order was edited\n```diff\n- total: 20.00\n+ total: 23.00\n```" in diff
    assert "SH-1000" not in diff


def test_a_plan_with_nothing_to_do_says_so() -> None:
    shown = plan(change(action=Action.UNCHANGED))
    assert text(shown["plan"]) == text(shown["diff"]) == "nothing to do"
    assert text(shown["planned amount"]) == "none"


def test_a_record_without_key_order_or_amount_is_shown_by_its_id() -> None:
    shown = plan(change(natural_key="", order_id=None, order_name=None, amount=None, currency=None))
    assert text(shown["diff"]) == "**+ create invoice 5001/77**"
    assert shown["plan"].records[0].data == {
        "action": "create", "record": "invoice 5001/77", "order": "", "amount": "", "reason": ""
    }  # fmt: skip


def test_a_contacts_fields_are_named_but_not_shown() -> None:
    fields = (
        FieldDiff(field="name", before="Aroha Ngata", after="Aroha Hill"),
        FieldDiff(field="email", before=None, after="aroha@example.co.nz"),
        FieldDiff(field="phone", before="", after=None),
    )
    shown = plan(change(kind=Kind.CONTACT, natural_key="shopify-7", fields=fields, amount=None))
    diff = text(shown["diff"])
    assert "- name: …\n+ name: …\n+ email: …\n- phone: " in diff
    assert "Aroha" not in str(shown)
    assert "example" not in str(shown)


def test_of_51_changes_50_are_shown_and_one_is_counted() -> None:
    shown = plan(*(change(natural_key=f"SH-{number}") for number in range(51)))
    assert [row["action"] for row in rows_of(shown["plan"])] == ["create"] * 50 + ["… and 1 more"]
    assert text(shown["diff"]).endswith("\n\n… and 1 more")
    assert "SH-49" in text(shown["diff"])
    assert "SH-50" not in text(shown["diff"])
