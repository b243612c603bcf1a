from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.cost import count_write_calls
from shopify_xero_pipeline.changes.models import Action, ChangeSet
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY


def plan(kind: Kind, *changes: object) -> ChangeSet:
    return ChangeSet(kind=kind, day=DAY, changes=tuple(changes))


def test_fifty_records_of_a_kind_share_a_call_and_the_next_one_needs_another() -> None:
    fifty = [build_change(Action.CREATE, contact(str(n))) for n in range(50)]
    assert count_write_calls([plan(Kind.CONTACT, *fifty)]) == 1
    assert count_write_calls([plan(Kind.CONTACT, *fifty, build_change(Action.CREATE, contact("99")))]) == 2


def test_records_of_several_days_share_batches_but_kinds_and_updates_do_not() -> None:
    plans = [
        plan(Kind.CONTACT, build_change(Action.CREATE, contact("1"))),
        plan(Kind.CONTACT, build_change(Action.CREATE, contact("2")), build_change(Action.UPDATE, contact("3"))),
        plan(Kind.INVOICE, build_change(Action.CREATE, invoice())),
    ]
    assert count_write_calls(plans) == 3


def test_allocations_take_one_call_for_each_credit_note() -> None:
    note, other = credit_note(), credit_note(agreement="13", number="SH-1001-R13")
    lines = [build_change(Action.CREATE, allocation(n, invoice(), "1.00")) for n in (note, note, other)]
    assert count_write_calls([plan(Kind.PAYMENT, *lines)]) == 2


def test_what_is_not_sent_costs_nothing() -> None:
    quiet = [Action.ADOPT, Action.UNCHANGED, Action.CONFLICT, Action.BLOCKED]
    assert count_write_calls([plan(Kind.CONTACT, *(build_change(action, contact()) for action in quiet))]) == 0
