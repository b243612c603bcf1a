"""Records a second that a whole sync writes, with the state store on SQLite and on Postgres.

The steps are those of Dagster's assets, without Dagster, on a generated shop with all its kinds of orders, against the
sandbox in the same process. A real Postgres server runs on this machine. This module reports times; its only counts are
the records, which must be the same on both stores.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench.measuring import SandboxTimer
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.support import postgres
from shopify_xero_pipeline_tests.support.stage import at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

DAYS = 31
REPETITIONS = 5
SQLITE, POSTGRES = "SQLite", "Postgres"

SECTION = """## Records a second

A first sync of {days} days of a generated shop and the reconciliation of these days, with {records:,} records written.
It runs in the steps of Dagster's assets, without Dagster, against the sandbox in the same process. The figures are
medians of {repetitions} repetitions, on each store in turn. SQLite is a file on a disk. Postgres is a server on this
machine, behind a Unix socket, without fsync.

- *Seconds* are those that pass, without the CPU time of the sandbox, whose requests take no other time.
- *Our CPU* is that of this process without the sandbox, and its share of the seconds. The other seconds are waits for
  the store, whose server has a CPU time of its own.

{goals}

{table}

{measured}"""


@dataclass(frozen=True)
class Run:
    """One sync.

    Attributes:
        written: records written by kind.
        elapsed: the seconds that passed, with the sandbox.
        cpu: CPU seconds of the process, with the sandbox.
        sandbox_cpu: CPU seconds of the sandbox.
    """

    written: Mapping[str, int]
    elapsed: float
    cpu: float
    sandbox_cpu: float

    @property
    def seconds(self) -> float:
        """The seconds that passed, without the sandbox."""
        return self.elapsed - self.sandbox_cpu

    @property
    def own_cpu(self) -> float:
        """CPU seconds without the sandbox."""
        return self.cpu - self.sandbox_cpu

    @property
    def records_per_second(self) -> float:
        """Records written in a second, without the sandbox."""
        return sum(self.written.values()) / self.seconds


def measure(_options: Options, step: Step) -> Outcome:
    """Measure a sync on each store."""
    shop, runs = GeneratedShop(1), dict[str, list[Run]]()
    with _empty_stores() as stores:
        for number in range(1, REPETITIONS + 1):
            for store, new_url in stores.items():
                step(f"{store}, repetition {number} of {REPETITIONS}")
                runs.setdefault(store, []).append(_measure_in_folder(shop, new_url))
    head = ("store", "records a second", "seconds", "our CPU, s", "of the seconds, %", "sandbox's CPU, s")
    rows = [_row(store, store_runs) for store, store_runs in runs.items()]
    first, *others = (run.written for store_runs in runs.values() for run in store_runs)
    is_same = all(written == first for written in others)
    goals = _goal_sentence(is_same, has_postgres=POSTGRES in runs)
    section = SECTION.format(
        days=DAYS,
        records=sum(first.values()),
        repetitions=REPETITIONS,
        goals=goals,
        table=reliability.table(head, rows),
        measured=reliability.measured(),
    )
    figures = {store: [asdict(run) for run in store_runs] for store, store_runs in runs.items()}
    return Outcome(section, [terminal_table("Records a second", head, rows)], figures, goals, not is_same)


def measure_sync(shop: GeneratedShop, day_count: int, folder: Path, state_url: str) -> Run:
    """Sync the first days of a shop into an empty store.

    Args:
        shop: the shop.
        day_count: the number of days.
        folder: an empty folder.
        state_url: the address of the empty store.
    """
    last = FIRST + timedelta(days=day_count - 1)
    with staged(folder, at(last, 23), shop, STATE_URL=state_url) as stage:
        shop.versions("orders", stage.clock.now())  # generated before the time begins
        timer = SandboxTimer(stage.sandbox.asgi)
        stage.sandbox.asgi = timer
        sync_service = stage.restart()
        started, cpu = perf_counter(), process_time()
        written = _sync(sync_service, day_count)
        return Run(written, perf_counter() - started, process_time() - cpu, timer.cpu)


def _measure_in_folder(shop: GeneratedShop, new_url: Callable[[Path], str]) -> Run:
    with tempfile.TemporaryDirectory() as name:
        return measure_sync(shop, DAYS, Path(name), new_url(Path(name)))


def _sync(sync_service: SyncService, day_count: int) -> Mapping[str, int]:
    """Sync days in the steps of Dagster's assets, and return the number of records written by kind."""
    days = days_between(FIRST, FIRST + timedelta(days=day_count - 1))
    extractor, planner = sync_service.extractor, sync_service.planner
    customers, products = extractor.read_customers(days), extractor.read_products(days)
    orders = extractor.read_orders(days)
    plans = [planner.plan_contacts(customers, orders), planner.plan_items(products, orders)]
    plans_of_orders = planner.plan_orders(orders)
    kinds = dict.fromkeys(plan.kind for plan in plans_of_orders)
    plans += [[plan for plan in plans_of_orders if plan.kind == kind] for kind in kinds]
    loaded = [sync_service.loader.load(plan, "the measured run") for plan in plans]
    sync_service.reconciler.reconcile(orders)
    results = (result for by_day in loaded for day_results in by_day.values() for result in day_results)
    written = Counter(result.kind.value for result in results if result.outcome is not LoadOutcome.UNCHANGED)
    return dict(sorted(written.items()))


def _row(store: str, runs: Sequence[Run]) -> tuple[object, ...]:
    seconds, own_cpu = median(run.seconds for run in runs), median(run.own_cpu for run in runs)
    return (
        store,
        round(median(run.records_per_second for run in runs)),
        f"{seconds:.2f}",
        f"{own_cpu:.2f}",
        round(100 * own_cpu / seconds),
        f"{median(run.sandbox_cpu for run in runs):.2f}",
    )


def _goal_sentence(is_same: bool, *, has_postgres: bool) -> str:
    if not has_postgres:
        return "Postgres is not installed here, so only SQLite was measured."
    return "Each repetition wrote the same records." if is_same else "The repetitions did not write the same records."


@contextmanager
def _empty_stores() -> Iterator[Mapping[str, Callable[[Path], str]]]:
    """Yield for each store a function that returns the address of an empty one, given an empty folder."""
    binaries = postgres.programs()
    with ExitStack() as stack:
        stores: dict[str, Callable[[Path], str]] = {SQLITE: lambda folder: f"sqlite:///{folder / 'state.db'}"}
        if binaries is not None:
            server = stack.enter_context(postgres.running(binaries))
            stores[POSTGRES] = lambda _folder: server.new_schema()
        yield stores
