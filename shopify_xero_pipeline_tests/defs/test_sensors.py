"""The sensors that ask for days, evaluated by Dagster over the sandbox: what was changed, what is left, what failed."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.partitions import range_tags
from shopify_xero_pipeline.pipeline.pending_transactions import pending_by_order
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.nodes import Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.defs.daemon import Daemon, emptied, ends, start
from shopify_xero_pipeline_tests.support.stage import Stage, at, just_as_far, staged

pytestmark = pytest.mark.campaign

FIRST = date(2026, 9, 21)
WEEKS_LATER = at(date(2026, 10, 12), 14)
MINUTE = timedelta(minutes=1)


class QuietShop(GeneratedShop):
    """A shop that trades on its first two days and then stands still, but for what a test does to it."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ends = at(FIRST + timedelta(days=2), 0)
        self.edits: dict[str, list[Any]] = {}

    def versions(self, kind: Any, until: datetime) -> Any:
        told = {gid: list(some) for gid, some in super().versions(kind, min(until, self.ends)).items()}
        if kind == "orders":
            for gid, edits in self.edits.items():
                told[gid] = [*told.get(gid, ()), *(edit for edit in edits if edit.at <= until)]
        return {gid: some for gid, some in told.items() if some}

    def edit(self, gid: str, at: datetime, **changed: Any) -> None:
        """Change an order as staff would; `updatedAt` moves unless it is given."""
        before = self.versions("orders", at)[gid][-1]
        stamp = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        node = {**before.node, "updatedAt": stamp, **changed}
        self.edits.setdefault(gid, []).append(Version(at.astimezone(UTC), node))

    def delete(self, gid: str, at: datetime) -> None:
        """Delete an order."""
        self.edits.setdefault(gid, []).append(Version(at.astimezone(UTC), {}))

    def orders_of(self, day: date) -> list[str]:
        """Return the orders placed on a day, by id."""
        found = self.versions("orders", self.ends)
        begin, end = at(day, 0), at(day + timedelta(days=1), 0)
        placed = {gid: datetime.fromisoformat(some[-1].node["processedAt"]) for gid, some in found.items()}
        return sorted(gid for gid, when in placed.items() if begin <= when < end)


@pytest.fixture(scope="module")
def both_days_synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The two days of trading are in Xero, three weeks later."""
    with (
        staged(tmp_path_factory.mktemp("synced"), WEEKS_LATER, QuietShop()) as stage,
        dg.DagsterInstance.ephemeral() as i,
    ):
        assert start(stage, i, range_tags(FIRST, FIRST + timedelta(days=1)))
        yield stage


@pytest.fixture
def stage(both_days_synced: Stage, tmp_path: Path) -> Iterator[Stage]:
    with just_as_far(both_days_synced, tmp_path / "house") as stage:
        stage.sandbox.source.edits.clear()  # type: ignore[attr-defined]
        yield stage


@pytest.fixture(scope="module")
def lasting() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def instance(lasting: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    return emptied(lasting, monkeypatch)


@pytest.fixture
def changed(stage: Stage, instance: dg.DagsterInstance) -> Daemon:
    """The sensor of changed orders, which has caught up."""
    daemon = Daemon(stage, instance, "changed_orders")
    daemon.tick()
    daemon.tick()
    daemon.keys.clear()
    return daemon


def shop(stage: Stage) -> QuietShop:
    source = stage.sandbox.source
    assert isinstance(source, QuietShop)
    return source


def test_an_order_edited_weeks_later_reopens_its_day_within_two_minutes(stage: Stage, changed: Daemon) -> None:
    assert changed.tick() == []
    assert changed.said == "no order has changed"
    order = shop(stage).orders_of(FIRST)[0]
    shop(stage).edit(order, stage.clock.now())
    edited, asked = stage.clock.now(), list[Any]()
    while not asked:
        stage.clock.sleep(30)
        asked = changed.tick()
    assert stage.clock.now() - edited < 2 * MINUTE
    (request,) = asked
    assert request.tags["dagster/asset_partition_range_start"] == "2026-09-21"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-09-21"
    assert request.tags["shopify-xero/respect-retry-schedule"] == "yes"
    assert str(request.run_key).startswith(f"2026-09-21..2026-09-21:{edited:%Y-%m-%dT%H:%M:%SZ} ")


def test_one_change_is_asked_for_once_however_often_its_time_is_read_again(stage: Stage, changed: Daemon) -> None:
    shop(stage).edit(shop(stage).orders_of(FIRST)[0], stage.clock.now())
    asked = []
    for _ in range(30):
        stage.clock.sleep(30)
        asked += changed.tick()
    assert len(asked) == 1


def test_two_changes_of_the_same_second_that_are_seen_apart_are_both_asked_for(stage: Stage, changed: Daemon) -> None:
    one, other = shop(stage).orders_of(FIRST)[:2]
    when = stage.clock.now()
    shop(stage).edit(one, when)
    stage.clock.sleep(30)
    assert len(changed.tick()) == 1
    late = stage.clock.now()
    shop(stage).edit(other, late, updatedAt=when.strftime("%Y-%m-%dT%H:%M:%SZ"))
    stage.clock.sleep(30)
    assert len(changed.tick()) == 1


def test_changed_days_are_asked_for_as_ranges(stage: Stage, changed: Daemon) -> None:
    for day in (FIRST, FIRST + timedelta(days=1)):
        for order in shop(stage).orders_of(day):
            shop(stage).edit(order, stage.clock.now())
    stage.clock.sleep(60)
    assert changed.ranges() == [("2026-09-21", "2026-09-22")]


def test_what_is_under_way_to_a_run_that_waits_is_not_asked_for_again(
    stage: Stage, instance: dg.DagsterInstance, changed: Daemon
) -> None:
    one, other = shop(stage).orders_of(FIRST)[:2]
    shop(stage).edit(one, stage.clock.now())
    stage.clock.sleep(60)
    (request,) = changed.tick()
    run = changed.leave(request)
    shop(stage).edit(other, stage.clock.now())
    stage.clock.sleep(60)
    assert changed.tick() == []
    assert changed.said == "1 order changed: 0 on days that are synced every hour, 1 on days with a waiting run"
    instance.delete_run(run.run_id)


@pytest.mark.long
def test_the_day_in_progress_is_left_to_the_hourly_schedule(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with staged(tmp_path, at(FIRST, 9), GeneratedShop(1)) as stage:
        assert start(stage, instance, range_tags(FIRST, FIRST))
        changed = Daemon(stage, instance, "changed_orders")
        stage.clock.sleep(4 * 3600)
        assert changed.tick() == []
        assert re.match(r"(\d+) orders? changed: \1 on days that are synced every hour", changed.said)


def test_an_error_of_shopify_fails_the_tick_and_leaves_the_cursor(stage: Stage, changed: Daemon) -> None:
    shop(stage).edit(shop(stage).orders_of(FIRST)[0], stage.clock.now())
    stage.clock.sleep(60)
    before = changed.cursor
    fault = stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, path="graphql.json", status=503, times=None))
    began = stage.clock.elapsed()
    with pytest.raises(dg.Failure, match=r"^Shopify failed to answer. Try again later. \(HTTP 503\)$"):
        changed.tick()
    assert stage.clock.elapsed() - began < 10
    assert changed.cursor == before
    fault.times = 0
    assert changed.ranges() == [("2026-09-21", "2026-09-21")]


def test_a_lost_cursor_is_made_anew_from_the_last_comparisons_and_tells_only_what_changed_since(
    stage: Stage, changed: Daemon
) -> None:
    stage.clock.sleep(4 * 3600)
    shop(stage).edit(shop(stage).orders_of(FIRST)[0], stage.clock.now())
    stage.clock.sleep(60)
    for lost in (None, "", "{}", "no cursor at all"):
        changed.cursor = lost
        changed.keys.clear()
        assert changed.ranges() == [("2026-09-21", "2026-09-21")]
        assert changed.tick() == []


def test_before_anything_was_synced_nothing_can_have_changed(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with staged(tmp_path, WEEKS_LATER, QuietShop()) as stage:
        changed = Daemon(stage, instance, "changed_orders")
        assert changed.tick() == []
        assert changed.cursor is None
        assert changed.said == "no day was synced yet, so no synced order can have changed"


def test_pending_money_that_settles_without_changing_its_order_reopens_the_day_once(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    source = QuietShop()
    with staged(tmp_path, WEEKS_LATER, source) as stage:
        gid = next(gid for gid in source.orders_of(FIRST) if source.kind_of(gid) == "plain_card")
        node = source.versions("orders", source.ends)[gid][-1].node
        (paid,) = node["transactions"]
        promised = {**paid, "status": "PENDING", "processedAt": None}
        source.edit(gid, source.ends, updatedAt=node["updatedAt"], transactions=[promised])
        assert start(stage, instance, range_tags(FIRST, FIRST))
        order = gid.rpartition("/")[2]
        store, days = stage.sync_service.connections.store, stage.sync_service.connections.days()
        assert pending_by_order(store, days)[order] == [paid["id"].rpartition("/")[2]]
        changed = Daemon(stage, instance, "changed_orders")
        changed.tick()
        assert changed.tick() == []
        source.edit(gid, stage.clock.now(), updatedAt=node["updatedAt"], transactions=[paid])
        stage.clock.sleep(60)
        (request,) = changed.tick()
        assert request.tags["dagster/asset_partition_range_start"] == "2026-09-21"
        stage.clock.sleep(60)
        assert changed.tick() == []
        payments = len(stage.sandbox.books.payments)
        assert changed.run(request)
        assert len(stage.sandbox.books.payments) == payments + 1
        assert order not in pending_by_order(store, days)
        assert changed.tick() == []


def hint(stage: Stage, **other: Any) -> WebhookHint:
    """Return what a webhook said just now."""
    now = stage.clock.now()
    given = {"id": f"content {now}", "delivery": f"delivery {now}", "topic": "any", "occurred_at": now}
    return WebhookHint.model_validate({**given, "received_at": now, **other})


def test_an_order_that_a_webhook_names_is_seen_before_the_list_of_changed_orders_knows_it(
    stage: Stage, changed: Daemon
) -> None:
    gid, hints = shop(stage).orders_of(FIRST)[0], stage.sync_service.connections.store.hints
    shop(stage).edit(gid, stage.clock.now())
    stage.clock.sleep(2)
    assert changed.ranges() == []
    hints.add([hint(stage, source="shopify", record="order", record_id=gid.rpartition("/")[2])])
    assert changed.ranges() == [("2026-09-21", "2026-09-21")]
    assert hints.open() == []
    stage.clock.sleep(30)
    assert changed.ranges() == []


def test_a_deleted_order_that_a_webhook_names_reopens_its_day_once(stage: Stage, changed: Daemon) -> None:
    gid, hints = shop(stage).orders_of(FIRST)[0], stage.sync_service.connections.store.hints
    shop(stage).delete(gid, stage.clock.now())
    stage.clock.sleep(30)
    assert changed.ranges() == []  # the list of changed orders says nothing of it
    deleted = hint(stage, source="shopify", topic="orders/delete", record="order", record_id=gid.rpartition("/")[2])
    hints.add([deleted])
    (request,) = changed.tick()
    assert ends(request.tags) == ("2026-09-21", "2026-09-21")
    assert hints.open() == []
    stage.clock.sleep(30)
    assert changed.ranges() == []
    assert changed.run(request)
    assert [one.cause for one in stage.sync_service.record_ownership.orphans()] == ["deleted"]


def test_a_deleted_order_of_which_nothing_was_posted_reopens_no_day(stage: Stage, changed: Daemon) -> None:
    hints = stage.sync_service.connections.store.hints
    hints.add([hint(stage, source="shopify", topic="orders/delete", record="order", record_id="4711")])
    assert changed.ranges() == []
    assert hints.open() == []


def test_an_order_moved_to_another_day_reopens_both_days(stage: Stage, changed: Daemon) -> None:
    source, sync_service = shop(stage), stage.sync_service
    (gid, *_) = [
        one
        for one in source.orders_of(FIRST)
        if sync_service.connections.store.mapped_of_orders([one.rpartition("/")[2]])
    ]
    to = at(FIRST + timedelta(days=4), 9).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    source.edit(gid, stage.clock.now(), processedAt=to)
    stage.clock.sleep(60)
    asked = changed.tick()
    assert [ends(one.tags) for one in asked] == [("2026-09-21", "2026-09-25")]  # days near each other share a run
    money = set(stage.sandbox.books.documents), set(stage.sandbox.books.payments)
    assert all(changed.run(one) for one in asked)
    days = sync_service.reconciliations.of_days([FIRST, FIRST + timedelta(days=4)])
    assert (set(stage.sandbox.books.documents), set(stage.sandbox.books.payments)) == money
    assert [gid.rpartition("/")[2] in [row.order_id for row in day.rows] for day in days] == [False, True]
    assert (sync_service.record_ownership.orphans(), sync_service.record_ownership.unfinished_days()) == ([], set())


def test_what_somebody_changed_in_xero_is_looked_at_when_a_webhook_says_so_and_our_own_writes_are_not(
    stage: Stage, changed: Daemon
) -> None:
    sync_service = stage.sync_service
    ours = next(row for row in sync_service.connections.store.mapped(Kind.INVOICE).values() if row.partition == FIRST)
    about = {"source": "xero", "record": "invoice", "record_id": ours.xero_id}
    sync_service.connections.store.hints.add([hint(stage, **about, happened_at=ours.posted_at)])
    assert changed.ranges() == []
    assert sync_service.connections.store.hints.open() == []

    Person(stage.sandbox.books, stage.clock).void_document(stage.sandbox.books.documents[ours.xero_id])
    stage.clock.sleep(1)
    sync_service.connections.store.hints.add([hint(stage, **about)])
    (request,) = changed.tick()
    assert ends(request.tags) == ("2026-09-21", "2026-09-21")
    assert changed.tick() == []
    assert changed.run(request)
    (day,) = sync_service.reconciliations.of_days([FIRST])
    (row,) = (row for row in day.rows if row.order_id == ours.order_id)
    assert f"invoice {ours.natural_key} was posted and Xero no longer shows it" in row.problems
    assert changed.tick() == []
    assert sync_service.connections.store.hints.open() == []


def test_thousands_of_changed_orders_are_read_some_at_a_tick_and_none_is_forgotten(
    stage: Stage, changed: Daemon
) -> None:
    source = shop(stage)
    (plain,) = source.orders_of(FIRST)[:1]
    node = source.versions("orders", source.ends)[plain][-1].node
    when = stage.clock.now()
    stamp = when.strftime("%Y-%m-%dT%H:%M:%SZ")
    for number in range(2_500):
        day = FIRST + timedelta(days=number % 20)
        placed = at(day, 10).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        copied = {**node, "id": f"gid://shopify/Order/{number + 1}", "processedAt": placed, "updatedAt": stamp}
        source.edits[copied["id"]] = [Version(when.astimezone(UTC), copied)]
    stage.clock.sleep(60)
    days: set[date] = set()
    ticks = 0
    while not days or '"after":"' in str(changed.cursor):
        calls = stage.sync_service.connections.calls[0]
        for request in changed.tick():
            first, last = (
                date.fromisoformat(request.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end")
            )
            days |= {first + timedelta(days=n) for n in range((last - first).days + 1)}
        assert stage.sync_service.connections.calls[0] - calls <= 6
        ticks += 1
        stage.clock.sleep(30)
    assert days == {FIRST + timedelta(days=number) for number in range(20)}
    assert ticks == 3


# -- unfinished writes -------------------------------------------------------------------------------------------------


@pytest.fixture
def unfinished(stage: Stage, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(stage, instance, "unfinished_writes")


def test_where_nothing_is_left_nothing_is_asked_for_and_neither_side_is_called(
    stage: Stage, unfinished: Daemon
) -> None:
    calls = stage.sync_service.connections.calls
    assert unfinished.tick() == []
    assert unfinished.said == "no day is unfinished"
    assert stage.sync_service.connections.calls == calls


@pytest.mark.long
def test_a_day_whose_run_failed_is_asked_for_after_growing_pauses_until_a_run_of_it_succeeds(
    stage: Stage, instance: dg.DagsterInstance, unfinished: Daemon
) -> None:
    fault = stage.sandbox.faults.add(Fault(kind=FaultKind.ANSWER, path="graphql.json", status=400, times=None))
    assert not start(stage, instance, range_tags(FIRST, FIRST))
    asked, began, request = [], stage.clock.now(), None
    while stage.clock.now() - began < timedelta(hours=3):
        for request in unfinished.tick():
            asked.append(round((stage.clock.now() - began) / MINUTE))
            assert not unfinished.run(request)
        stage.clock.sleep(60)
    assert asked == [5, 10, 30, 110]
    fault.times = 0
    stage.clock.sleep(8 * 3600)
    (request,) = unfinished.tick()
    assert unfinished.run(request)
    assert unfinished.tick() == []
    assert unfinished.said == "no day is unfinished"


@pytest.mark.long
def test_a_failed_record_is_tried_again_when_it_is_due_and_its_day_is_then_done(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with staged(tmp_path, WEEKS_LATER, QuietShop()) as stage:
        fault = stage.sandbox.faults.add(
            Fault(kind=FaultKind.REFUSED, path="/Items", body="Code", times=None, answer="Xero is offline")
        )
        start(stage, instance, range_tags(FIRST, FIRST))
        failed = [one for one in stage.sync_service.connections.store.failed_records() if one.retryable]
        assert failed
        fault.times = 0
        unfinished, asked = Daemon(stage, instance, "unfinished_writes"), list[Any]()
        due = min(one.next_attempt_at for one in failed if one.next_attempt_at is not None)
        while not asked:
            asked = unfinished.tick()
            stage.clock.sleep(60)
        assert timedelta(0) <= stage.clock.now() - due < 3 * MINUTE
        assert unfinished.run(asked[0])
        assert stage.sync_service.record_ownership.unfinished_days() == set()


@pytest.mark.long
def test_writes_that_the_days_budget_left_are_sent_once_xeros_day_has_turned(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with staged(tmp_path, WEEKS_LATER, QuietShop()) as stage:
        fault = stage.sandbox.faults.add(
            Fault(kind=FaultKind.DAY_LIMIT, method="PUT", path="/Invoices", times=1, retry_after=6 * 3600)
        )
        start(stage, instance, range_tags(FIRST, FIRST))
        assert fault.fired == 1
        unfinished, asked = Daemon(stage, instance, "unfinished_writes"), list[Any]()
        began = stage.clock.now()
        while not asked:
            asked = unfinished.tick()
            stage.clock.sleep(60)
        assert timedelta(hours=5, minutes=50) < stage.clock.now() - began < timedelta(hours=6, minutes=20)
        assert unfinished.run(asked[0])
        assert stage.sync_service.record_ownership.unfinished_days() == set()
        (day,) = stage.sync_service.reconciliations.of_days([FIRST])
        assert not day.unequal
        assert (day.extra, day.lost) == (0, 0)


@pytest.mark.long
def test_an_unclear_write_is_settled_once_it_may_be_read_back(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with staged(tmp_path, WEEKS_LATER, QuietShop()) as stage:
        fault = stage.sandbox.faults.add(Fault(kind=FaultKind.SERVER_ERROR, method="PUT", path="/Payments"))
        start(stage, instance, range_tags(FIRST, FIRST))
        assert fault.fired
        assert stage.sync_service.connections.store.journal.unsettled()
        unfinished, began, asked = Daemon(stage, instance, "unfinished_writes"), stage.clock.now(), list[Any]()
        while not asked:
            asked = unfinished.tick()
            stage.clock.sleep(60)
        assert stage.clock.now() - began <= timedelta(minutes=15)
        for request in asked:
            assert unfinished.run(request)
        assert stage.sync_service.connections.store.journal.unsettled() == []


# -- whether they run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("automation", [True, False])
def test_the_sensors_that_ask_for_days_stand_still_unless_automation_is_on(automation: bool) -> None:
    found = build_definitions(policy=BooksPolicy(), automation=automation).get_repository_def()
    status = {sensor.name: sensor.default_status.value for sensor in found.sensor_defs}
    asking = "RUNNING" if automation else "STOPPED"
    assert status == {"changed_orders": asking, "unfinished_writes": asking, "alerts": asking, "dead_runs": "RUNNING"}
