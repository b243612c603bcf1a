"""What is kept of days that need a look: gone once it is over, and never written when it stands there already."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.postgres import Server
from shopify_xero_pipeline_tests.support.rows import DAY, INSTANT, order_row

NEXT = DAY + timedelta(days=1)
ROW = order_row()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.new_schema()
    store = StateStore(url, ManualClock(INSTANT), tmp_path / "witness")
    yield store
    store.close()


def plan(kind: Kind, *lines: Change, day: object = DAY) -> ChangeSet:
    return ChangeSet.model_validate({"kind": kind, "day": day, "changes": lines})


def line(kind: Kind, reason: str) -> Change:
    return Change(action=Action.CONFLICT, kind=kind, shopify_id="1", order_id="5001", reason=reason)


def test_a_conflict_stands_until_a_plan_of_its_kind_and_day_has_none(store: StateStore) -> None:
    payment, contact = line(Kind.PAYMENT, "paid"), line(Kind.CONTACT, "renamed")
    day_issues.store_held_lines(store, [plan(Kind.PAYMENT, payment), plan(Kind.PAYMENT, payment, day=NEXT)], [])
    day_issues.store_held_lines(store, [plan(Kind.CONTACT, contact)], [])
    assert day_issues.held_lines(store) == {DAY: [contact, payment], NEXT: [payment]}
    assert day_issues.held_lines(store, [NEXT]) == {NEXT: [payment]}
    day_issues.store_held_lines(store, [plan(Kind.PAYMENT)], [])
    assert day_issues.held_lines(store) == {DAY: [contact], NEXT: [payment]}


def test_a_day_is_kept_until_it_simply_agrees(store: StateStore) -> None:
    blocked = DayReconciliation(day=DAY, rows=(order_row(outcome="blocked", reason="no rate"),))
    store.put_values(day_issues.issue_entry(blocked) | day_issues.issue_entry(DayReconciliation(day=NEXT, rows=(ROW,))))
    assert {day: found.agreement.sentence for day, found in day_issues.days_in_disagreement(store).items()} == {
        DAY: "the books agree; 1 order of 10.00 NZD is not in them"
    }
    store.put_values(day_issues.issue_entry(DayReconciliation(day=DAY, rows=(ROW,))))
    assert day_issues.days_in_disagreement(store) == {}


def test_what_stands_there_already_is_not_written_again(store: StateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [plan(Kind.PAYMENT, line(Kind.PAYMENT, "paid"))]
    day_issues.store_held_lines(store, plans, [])

    def written(*_: object) -> None:
        raise AssertionError("nothing has changed")

    monkeypatch.setattr(store, "put_value", written)
    monkeypatch.setattr(store, "put_values", written)
    day_issues.store_held_lines(store, plans, [])
    day_issues.store_held_lines(store, [plan(Kind.CONTACT)], [])
