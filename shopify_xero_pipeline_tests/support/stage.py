"""The whole system in one process: a sandbox, a sync service and Dagster on one manual clock."""

import copy
import random
import shutil
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
from upath import UPath

from shopify_xero_pipeline.cli.job_runner import JobRunner
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.app import Sandbox, build_sandbox
from shopify_xero_pipeline.sandbox.nodes import ShopSource
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.settings import Settings

ZONE = ZoneInfo("Pacific/Auckland")
ADDRESS = "http://127.0.0.1:9"
BOOKS = Path(__file__).parents[2] / "books.yaml"


class WrongClock:
    """This machine's clock, wrong by `ahead` (negative if it is behind)."""

    def __init__(self, true: ManualClock, ahead: timedelta) -> None:
        self._true = true
        self.ahead = ahead

    def now(self) -> datetime:
        return self._true.now() + self.ahead

    def elapsed(self) -> float:
        return self._true.elapsed()

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)


class Stage:
    """Everything that a test of the whole system needs. `restart` starts a new process on the same files.

    `clock` is the servers' clock, `own` this machine's; both agree unless `ahead` is set.
    """

    def __init__(
        self,
        folder: Path,
        source: ShopSource,
        now: datetime,
        *,
        xero_books: XeroBooks | None = None,
        xero_options: XeroOptions | None = None,
        ahead: timedelta = timedelta(),
        **environ: str,
    ) -> None:
        self.folder = folder
        self.clock = ManualClock(now)
        self.own = WrongClock(self.clock, ahead)
        self.sandbox: Sandbox = build_sandbox(
            clock=self.clock,
            source=source,
            xero_books=xero_books,
            xero_options=xero_options or XeroOptions(refuse_unknown_parameters=True),
        )
        self.person = Person(self.sandbox.books, self.clock)
        self.environ = {
            "SHOPIFY_BASE_URL": ADDRESS,
            "XERO_BASE_URL": ADDRESS,
            "STATE_URL": f"sqlite:///{folder / 'state.db'}",
            "ASSET_STORAGE": str(folder / "assets"),
            "BOOKS_FILE": str(BOOKS),
            **environ,
        }
        self.sync_service = self.restart()

    def restart(self) -> SyncService:
        transport = InProcessTransport(self.sandbox.asgi)
        settings = Settings.from_environment(self.environ, dotenv=None)
        self.sync_service = SyncService(
            Connections(
                settings,
                self.own if self.own.ahead else self.clock,
                shopify_transport=transport,
                xero_transport=transport,
                rng=random.Random(1),
            )
        )
        return self.sync_service

    def runner(self, instance: dg.DagsterInstance) -> JobRunner:
        return JobRunner(self.sync_service, instance, UPath(self.folder / "assets"))

    def size(self) -> int:
        """Return the number of records in Xero."""
        return size(self.sandbox)


def size(sandbox: Sandbox) -> int:
    """Return the number of records in a sandbox's Xero."""
    books = sandbox.books
    kinds: tuple[Sized, ...] = (books.contacts, books.items, books.documents, books.payments, books.allocations)
    return sum(map(len, kinds))


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)


@contextmanager
def staged(
    folder: Path,
    now: datetime,
    source: ShopSource | None = None,
    *,
    xero_books: XeroBooks | None = None,
    xero_options: XeroOptions | None = None,
    ahead: timedelta = timedelta(),
    **environ: str,
) -> Iterator[Stage]:
    options = {"xero_books": xero_books, "xero_options": xero_options, "ahead": ahead}
    stage = Stage(folder, source or GeneratedShop(1), now, **options, **environ)  # type: ignore[arg-type]
    try:
        yield stage
    finally:
        stage.sync_service.connections.close()


@contextmanager
def just_as_far(first: Stage, folder: Path) -> Iterator[Stage]:
    """Yield a copy of a stage with its own files and books; only the shop is shared."""
    shutil.copytree(first.folder, folder, dirs_exist_ok=True)
    books = copy.deepcopy(first.sandbox.books)
    with staged(folder, first.clock.now(), first.sandbox.source, xero_books=books) as stage:
        yield stage
