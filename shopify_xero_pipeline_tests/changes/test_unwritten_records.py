"""Why a record is not in Xero: refused before conflict, conflict before what is only postponed."""

from datetime import UTC, datetime

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.changes.unwritten_records import Key, lines_held_back, missing_reason
from shopify_xero_pipeline.state.records import Operation, OperationState
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import DAY, sync_error

NOW = datetime(2026, 9, 21, tzinfo=UTC)
PAYMENT: Key = (Kind.PAYMENT, "77")
MISSING = {PAYMENT: "77|SH-1"}


def line(action: Action, shopify_id: str = "77", reason: str = "a person paid it", kind: Kind = Kind.PAYMENT) -> Change:
    return Change(action=action, kind=kind, shopify_id=shopify_id, order_id="5001", reason=reason)


def operation(state: OperationState, reason: str = "") -> dict[Key, Operation]:
    made = Operation(
        id=1, kind="payment", shopify_id="77", natural_key="77|SH-1", payload="{}", partition=DAY, run_id="run",
        verb="create", checksum="", state=state, reason=reason, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return {PAYMENT: made}


def test_what_xero_refused_comes_first() -> None:
    found = missing_reason(MISSING, [sync_error(reason="Xero refused it.")], [line(Action.CONFLICT)], {})
    assert found == ("failed", "Xero refused it. (not in Xero yet: 77|SH-1)")


def test_a_conflict_is_the_reason_of_an_order_whose_payment_it_holds_back() -> None:
    theirs = line(Action.CONFLICT, "stranger", "a person put this there")
    assert missing_reason(MISSING, [], [theirs, line(Action.CONFLICT)], {}) == ("conflict", "a person paid it")
    assert missing_reason(MISSING, [], [theirs], {}) == ("conflict", "a person put this there")


def test_what_the_plan_blocks_is_blocked_with_the_plans_reason() -> None:
    assert missing_reason(MISSING, [], [line(Action.BLOCKED, reason="archived; restore it")], {}) == (
        "blocked",
        "archived; restore it",
    )


def test_a_write_that_is_still_to_come_is_postponed_and_says_why() -> None:
    away = operation(OperationState.PLANNED, "Xero is away")
    assert missing_reason(MISSING, [], [], away) == ("postponed", "Xero is away")
    assert missing_reason(MISSING, [], [], operation(OperationState.IN_BATCH))[0] == "postponed"
    elsewhere = [line(Action.CONFLICT, "another", "an Invoice was changed", Kind.INVOICE)]
    assert missing_reason(MISSING, [], elsewhere, away)[0] == "postponed"


def test_what_nothing_explains_has_failed() -> None:
    assert missing_reason(MISSING, [], [], {}) == ("failed", "not in Xero yet: 77|SH-1")


def test_kept_of_a_plan_is_what_it_holds_back_and_nothing_of_a_customer() -> None:
    fields = (FieldDiff(field="name", before="Jane", after="Joan"),)
    person = line(Action.CONFLICT, kind=Kind.CONTACT).model_copy(update={"fields": fields})
    money = line(Action.CONFLICT).model_copy(update={"fields": fields})
    lines = (person, money, line(Action.BLOCKED), line(Action.CREATE))
    plan = ChangeSet(kind=Kind.PAYMENT, day=DAY, changes=lines)
    found = lines_held_back(plan, {"5001"})
    assert [one.action for one in found] == [Action.CONFLICT, Action.CONFLICT, Action.BLOCKED]
    assert found[0].fields == (FieldDiff(field="name", before=None, after=None),)
    assert found[1].fields == fields
    assert [one.action for one in lines_held_back(plan, set())] == [Action.CONFLICT, Action.CONFLICT]
