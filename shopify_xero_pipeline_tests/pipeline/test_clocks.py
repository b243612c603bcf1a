"""A clock that is wrong by weeks: nothing is posted twice, the books agree, and only an alert tells of it."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from shopify_xero_pipeline.alerts.rules import find_alerts
from shopify_xero_pipeline.alerts.service import AlertService
from shopify_xero_pipeline.clock import ManualClock, ServerClock
from shopify_xero_pipeline.defs.run_history import InstanceHistory
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.cli.test_cli import invoke, on_stage
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

DAYS = [FIRST + timedelta(days=n) for n in range(2)]
pytestmark = pytest.mark.campaign

WEEKS = [timedelta(days=40), timedelta(days=-2)]
NOW = at(DAYS[-1] + timedelta(days=3))


def money(stage: Stage) -> Counter[str]:
    """How often each of our references stands on a document in Xero."""
    live = (one for one in stage.sandbox.books.payments.values() if one.status != "DELETED")
    return Counter(f"{one.reference} on {one.document_id}" for one in live)


def outstanding(stage: Stage) -> dict[str, str]:
    return {one.number: str(one.outstanding) for one in stage.sandbox.books.documents.values()}


@pytest.mark.parametrize("ahead", WEEKS, ids=str)
def test_days_synced_by_a_clock_that_is_weeks_off_agree_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    with staged(tmp_path, NOW, ahead=ahead) as stage, on_stage(stage, monkeypatch):
        synced = invoke("sync", "--from", str(DAYS[0]), "--to", str(DAYS[-1]), "--at-once")
        assert "the books do not agree" not in synced.stdout
        assert "outstanding" not in synced.stdout
        assert not [row for day in stage.sync_service.reconciliations.of_days(DAYS) for row in day.unequal]


@pytest.mark.parametrize("ahead", WEEKS, ids=str)
def test_payments_whose_answers_were_lost_are_adopted_and_never_sent_again(tmp_path: Path, ahead: timedelta) -> None:
    with staged(tmp_path, NOW, ahead=ahead) as stage:
        stage.sandbox.faults.add(Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Payments", times=60))
        carry(stage.sync_service, DAYS)
        committed, left = money(stage), outstanding(stage)
        assert committed
        stage.sandbox.faults.clear()
        stage.clock.sleep(660)
        stage.sync_service.connections.close()
        compared = carry(stage.restart(), DAYS, "eleven minutes later")

        assert set(money(stage).values()) == {1}
        assert committed <= money(stage)
        assert {number: left[number] for number in left} == outstanding(stage)
        assert [row for day in compared for row in day.unequal] == []
        assert stage.sync_service.connections.store.failed_records() == []


@pytest.mark.parametrize("step", [timedelta(days=3), timedelta(hours=-5)], ids=str)
def test_a_clock_that_is_set_while_writes_are_in_doubt_ends_no_quiet_time_and_holds_nothing_up(
    tmp_path: Path, step: timedelta
) -> None:
    """Xero's clock alone says when a write may be read back: not at once, and not days later."""
    with staged(tmp_path, NOW, ahead=timedelta(minutes=2)) as stage:
        stage.sandbox.faults.add(Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Payments", times=60))
        carry(stage.sync_service, DAYS[:1])
        stage.sandbox.faults.clear()
        stage.own.ahead += step
        stage.sync_service.connections.close()
        carry(stage.restart(), DAYS[:1], "too early")
        assert stage.sync_service.connections.store.journal.unsettled()
        stage.clock.sleep(660)
        stage.sync_service.connections.close()
        (compared,) = carry(stage.restart(), DAYS[:1], "in time")
        assert stage.sync_service.connections.store.journal.unsettled() == []
        assert set(money(stage).values()) == {1}
        assert compared.unequal == []


def test_a_wrong_clock_costs_an_alert_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    with staged(tmp_path, NOW, ahead=timedelta(hours=7)) as stage, dg.DagsterInstance.ephemeral() as instance:
        carry(stage.sync_service, DAYS)
        (cause,) = find_alerts(AlertService(stage.sync_service, InstanceHistory(instance)).gather_facts())
        assert cause.summary.endswith("is 7 h ahead of Xero's.")
        with on_stage(stage, monkeypatch):
            shown = invoke("doctor")
        assert "the clock of this machine is 7 h ahead of Xero's" in shown.stdout
        assert "set it with a time server" in shown.stdout
        assert shown.exit_code == 0


DATE = "Mon, 21 Sep 2026 10:01:00 GMT"
ANOTHER_DATE = "Mon, 21 Sep 2026 10:02:00 GMT"


def test_a_servers_time_runs_on_between_its_answers_and_is_forgotten_when_our_clock_is_set() -> None:
    clock = ManualClock(NOW)
    server = ServerClock(clock)
    assert (server.earliest, server.latest, server.ahead) == (None, None, None)
    asked = clock.elapsed()
    clock.sleep(2)
    server.record_response("Mon, 21 Sep 2026 10:00:00 GMT", asked)
    clock.sleep(60)
    assert str(server.earliest) == "2026-09-21 10:01:00+00:00"
    assert str(server.latest) == "2026-09-21 10:01:03+00:00", "it was asked 2 s before, and states whole seconds"
    clock._now += timedelta(seconds=6)
    assert (server.earliest, server.latest) == (None, None)
    for no_date in ("no date", "", "Mon, 21 Sep 2026 10:01:00 +0200", f"{DATE}, {DATE}", f"{DATE}, {ANOTHER_DATE}"):
        server.record_response(no_date, clock.elapsed())
        assert server.earliest is None, no_date
    server.record_response(DATE, clock.elapsed())
    assert str(server.earliest) == "2026-09-21 10:01:00+00:00"
