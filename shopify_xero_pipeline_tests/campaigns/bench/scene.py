"""The scene of a measurement: a folder with a filled state store and the sandbox's Xero, opened by each process anew.

`fill` creates the folder, `opened` opens it. The shop is the same in each process, because it is generated.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline_tests.campaigns.bench.history import HistoryWriter
from shopify_xero_pipeline_tests.campaigns.bench.postgres_counting import count_cursors
from shopify_xero_pipeline_tests.campaigns.bench.shop import ORIGINAL_DAYS, SYNCED_AT, build_shop
from shopify_xero_pipeline_tests.campaigns.bench.templates import TemplateReader
from shopify_xero_pipeline_tests.support.stage import Stage, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file, carry

EARLIER_DAYS = 3 * 365


@dataclass(frozen=True)
class Scene:
    """A folder of a measurement.

    Attributes:
        folder: the folder.
        orders: the number of earlier orders in the books.
        days: the number of days over which they are spread.
        state_url: the URL of the state store; empty for an SQLite file in the folder.
    """

    folder: Path
    orders: int
    days: int = EARLIER_DAYS
    state_url: str = ""

    @property
    def earlier_days(self) -> list[date]:
        """The days of the copied orders; the books begin with the first of them."""
        return [FIRST - timedelta(days=number) for number in range(self.days, 0, -1)]

    @property
    def xero_file(self) -> Path:
        """The file with the records of the sandbox's Xero."""
        return self.folder / "xero.json"

    @property
    def store_file(self) -> Path:
        """The file of the state store."""
        return self.folder / "state.db"


@contextmanager
def opened(scene: Scene, now: datetime) -> Iterator[Stage]:
    """Open a scene at a time; writes to the sandbox's Xero are saved at the end.

    Args:
        scene: the scene.
        now: the time of both clocks.
    """
    start = ("start_date: 2026-09-21", f"start_date: {scene.earlier_days[0]}")
    scene.folder.mkdir(parents=True, exist_ok=True)
    file = books_file(scene.folder, start)
    books = XeroBooks.from_json(scene.xero_file.read_text()) if scene.xero_file.exists() else None
    if scene.state_url:
        count_cursors()
    url = scene.state_url or f"sqlite:///{scene.store_file}"
    with staged(
        scene.folder,
        now,
        build_shop(),
        xero_books=books,
        BOOKS_FILE=file,
        STATE_URL=url,
        STATE_WITNESS=str(scene.folder),
    ) as stage:
        yield stage
        scene.xero_file.write_text(stage.sandbox.books.to_json())


def fill(scene: Scene) -> None:
    """Fill the store of a scene: sync the orders to copy, and write their copies.

    Args:
        scene: the scene; its folder is empty.

    Raises:
        ValueError: the scene has fewer orders than the real sync.
    """
    with opened(scene, SYNCED_AT) as stage:
        sync_service = stage.sync_service
        carry(sync_service, days_between(FIRST, SYNCED_AT.date()))
        results = _results_of_orders(sync_service)
        if scene.orders < len(results):
            raise ValueError(f"a scene has at least {len(results)} orders")
        store = sync_service.connections.store
        reader = TemplateReader(store, _shared_guids(stage.sandbox.books))
        templates = [reader.read(order_id) for order_id in results]
        HistoryWriter(store, templates, results).write(scene.orders - len(templates), scene.earlier_days)


def _results_of_orders(sync_service: SyncService) -> dict[str, DayReconciliation]:
    """Return the reconciliation of each order to copy on its own, by order id."""
    results: dict[str, DayReconciliation] = {}
    for day, orders in sync_service.extractor.read_orders(ORIGINAL_DAYS).items():
        for order in orders:
            books = sync_service.planner.build_order_books({day: [order]})
            (result,) = sync_service.reconciler._compare_days({day: [order]}, books)
            _check(result)
            results[order.legacy_id] = result
    return results


def _check(result: DayReconciliation) -> None:
    """Refuse an order that is not posted, or that does not agree."""
    for row in result.rows:
        assert (row.outcome, row.problems, row.warnings) == ("posted", (), ()), row


def _shared_guids(books: XeroBooks) -> Sequence[str]:
    """Return the GUIDs of the accounts and Items."""
    return [*(account["AccountID"] for account in books.accounts), *books.items]
