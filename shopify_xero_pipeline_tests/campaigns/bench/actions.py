"""The measured actions, each in a process of its own on the same scene.

The order of `ACTIONS` matters: the first one writes the new orders, the others find the books with them. This module
defines the actions and checks their results; `measuring.py` measures them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.pipeline.books_status import books_status
from shopify_xero_pipeline.pipeline.change_detection import ChangeDetector
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH
from shopify_xero_pipeline.pipeline.mirror_refresh import LAST_READBACK_KEY, LAST_WRITE_KEY, WRITE_MARK
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.verdict import Standing
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.bench.measuring import Cost, Meter
from shopify_xero_pipeline_tests.campaigns.bench.scene import Scene, opened
from shopify_xero_pipeline_tests.campaigns.bench.shop import NEW_DAY, NEW_ORDERS
from shopify_xero_pipeline_tests.support.stage import Stage, at
from shopify_xero_pipeline_tests.support.sync_round import FIRST

NEW, UNCHANGED, VERIFICATION, OPENING = "new day", "unchanged day", "verification", "opening"
STATUS, MONTH, TICK, WEBHOOK = "status", "status --month", "tick", "webhook"
HOUR = 3_600
SEQUENCE_SECONDS = 30
"""Time between two repetitions: the interval of the sensor of changed orders."""

Costs = dict[str, Cost]


def sync_day(sync_service: SyncService) -> Counter[Kind]:
    """Sync the new day in the steps of Dagster's assets, and return the number of records written by kind.

    Args:
        sync_service: the sync service of the run.
    """
    days = [NEW_DAY]
    customers = sync_service.extractor.read_customers(days)
    products = sync_service.extractor.read_products(days)
    orders = sync_service.extractor.read_orders(days)
    planner = sync_service.planner
    plans = [planner.plan_contacts(customers, orders), planner.plan_items(products, orders)]
    plans_of_orders = planner.plan_orders(orders)
    kinds = dict.fromkeys(plan.kind for plan in plans_of_orders)
    plans += [[plan for plan in plans_of_orders if plan.kind == kind] for kind in kinds]
    loaded = [sync_service.loader.load(plan, "the measured run") for plan in plans]
    (day,) = sync_service.reconciler.reconcile(orders)
    assert day.count("posted") == NEW_ORDERS, [row.reason for row in day.rows]
    assert (day.unequal, day.lost, day.extra) == ([], 0, 0)
    results = (result for results in loaded for day_results in results.values() for result in day_results)
    return Counter(result.kind for result in results if result.outcome is not LoadOutcome.UNCHANGED)


def measure_new_day(scene: Scene) -> Costs:
    """Return the cost of the day with new orders, and of the verification that precedes the first load of a process.

    Args:
        scene: a scene without the new orders.
    """
    with _metered(scene, hour=18) as (stage, meter):
        store = stage.sync_service.connections.store
        verification = meter.measure(store.verify)
        _read_xero_as_each_day(stage)
        written = Counter[Kind]()
        cost = meter.measure(lambda: written.update(sync_day(stage.sync_service)))
    assert written == dict.fromkeys((Kind.CONTACT, Kind.INVOICE, Kind.PAYMENT), NEW_ORDERS)
    return {VERIFICATION: verification, NEW: cost}


def _read_xero_as_each_day(stage: Stage) -> None:
    """Read settings and all kinds from Xero, as the first sync of a day does, and leave nothing to read back."""
    connections = stage.sync_service.connections
    connections.organisation(FORCE_REFRESH)
    connections.mirror.refresh(Kind, FORCE_REFRESH)
    mark = f"{WRITE_MARK}{connections.store.journal.last_batch()}"
    connections.store.put_values({LAST_WRITE_KEY: mark, LAST_READBACK_KEY: mark})
    stage.clock.sleep(HOUR)
    stage.restart()


def measure_unchanged_day(scene: Scene) -> Costs:
    """Return the cost of the same day again.

    Args:
        scene: a scene with the new orders in the books.
    """
    with _metered(scene, hour=19) as (stage, meter):
        connections = stage.sync_service.connections
        connections.store.verify()
        written = Counter[Kind]()

        def renew() -> None:
            stage.clock.sleep(SEQUENCE_SECONDS)
            stage.sync_service = SyncService(connections)  # a run has no copy of an earlier run's books

        cost = meter.repeat(lambda: written.update(sync_day(stage.sync_service)), renew)
    assert not written
    return {UNCHANGED: cost}


def measure_status(scene: Scene) -> Costs:
    """Return the cost of opening the store, and of the status of the books.

    Args:
        scene: a scene with the new orders in the books.
    """
    with _metered(scene, hour=20) as (stage, meter):

        def reopen() -> None:
            stage.sync_service.connections.close()
            stage.restart()

        opening = meter.repeat(lambda: stage.sync_service.connections.store, reopen)
        cost = meter.repeat(lambda: _check(books_status(stage.sync_service).standing))
    return {OPENING: opening, STATUS: cost}


def measure_month(scene: Scene) -> Costs:
    """Return the cost of the statement of the last month in which every day has earlier orders.

    Args:
        scene: a scene with the new orders in the books.
    """
    with _metered(scene, hour=20) as (stage, meter):
        reconciliations, month = stage.sync_service.reconciliations, (FIRST - timedelta(days=31)).replace(day=1)
        return {MONTH: meter.repeat(lambda: _check(reconciliations.month_statement(month).standing))}


class _Sensor:
    """The sensor of changed orders, with its cursor."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._cursor: str | None = None
        self._number = count(1)

    def wait(self) -> None:
        self._stage.clock.sleep(SEQUENCE_SECONDS)

    def tick(self) -> None:
        self._cursor = ChangeDetector(self._stage.sync_service.connections).detect(self._cursor).cursor

    def deliver(self) -> None:
        """Record a delivery about a new order, and process it."""
        self._stage.sync_service.connections.store.hints.add([self._hint(next(self._number))])
        self.tick()

    def _hint(self, number: int) -> WebhookHint:
        order = next(gid for gid in self._stage.sandbox.source.versions("orders", self._stage.clock.now()))
        return WebhookHint(
            id=f"content {number}", source="shopify", topic="orders/updated", record="order",
            record_id=order.rpartition("/")[2], delivery=f"name {number}", received_at=self._stage.clock.now(),
        )  # fmt: skip


def measure_tick(scene: Scene) -> Costs:
    """Return the cost of one tick of the sensor of changed orders, while nothing changes.

    Args:
        scene: a scene with the new orders in the books.
    """
    with _sensing(scene) as (meter, sensor):
        return {TICK: meter.repeat(sensor.tick, sensor.wait)}


def measure_webhook(scene: Scene) -> Costs:
    """Return the cost of a delivery about an order: its record, and the tick that processes it.

    Args:
        scene: a scene with the new orders in the books.
    """
    with _sensing(scene) as (meter, sensor):
        return {WEBHOOK: meter.repeat(sensor.deliver, sensor.wait)}


ACTIONS: Mapping[str, Callable[[Scene], Costs]] = {
    NEW: measure_new_day,
    UNCHANGED: measure_unchanged_day,
    STATUS: measure_status,
    MONTH: measure_month,
    TICK: measure_tick,
    WEBHOOK: measure_webhook,
}


@contextmanager
def _metered(scene: Scene, hour: int) -> Iterator[tuple[Stage, Meter]]:
    """Open a scene at an hour of the new day."""
    with opened(scene, at(NEW_DAY, hour)) as stage:
        meter = Meter(stage)
        stage.restart()
        yield stage, meter


@contextmanager
def _sensing(scene: Scene) -> Iterator[tuple[Meter, _Sensor]]:
    """Open a scene with a sensor that has read all changes so far."""
    with _metered(scene, hour=21) as (stage, meter):
        sensor = _Sensor(stage)
        for _ in range(20):  # ten minutes, so that the list no longer overlaps with the new orders
            sensor.wait()
            sensor.tick()
        yield meter, sensor


def _check(standing: Standing) -> None:
    assert standing is Standing.AGREE, standing
