"""One read of all orders of a sandbox, by pages or in bulk, in a process that imports nothing but the reader.

`python -m …campaigns.bench.extracting ADDRESS READER START END` writes the cost of the read as JSON.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from time import process_time
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.shopify.auth import StaticToken
from shopify_xero_pipeline.shopify.bulk_reader import BulkOrderReader
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.reader import ShopifyReader
from shopify_xero_pipeline.shopify.throttle import QueryCost
from shopify_xero_pipeline_tests.campaigns.bench.remote_clock import RemoteClock, peak_memory

PAGES, BULK = "pages", "bulk"


@dataclass(frozen=True)
class Extraction:
    """The cost of a read.

    Attributes:
        reader: `pages` or `bulk`.
        orders: the number of orders.
        calls: requests to Shopify.
        points: actual points of the queries.
        waited: seconds of waits for the rate limit or the operation, on the sandbox's clock.
        cpu: CPU seconds of the process.
        peak: the largest memory of the process in MB, of which `base` before the read.
        digest: a hash of the records.
    """

    reader: str
    orders: int
    calls: int
    points: int
    waited: float
    cpu: float
    peak: float
    base: float
    digest: str


def extract(address: str, reader: str, start: datetime, end: datetime) -> Extraction:
    """Read all orders of a window with one reader, day by day if it can.

    Args:
        address: the address of the sandbox, whose time is the end of the window.
        reader: `pages` or `bulk`.
        start: the start of the window.
        end: the end of the window.
    """
    clock = RemoteClock(end, address)
    client = ShopifyClient("sandbox.myshopify.com", StaticToken("sandbox"), clock=clock, base_url=address)
    costs = _record_costs(client)
    base, cpu, digest, count = peak_memory(), process_time(), 0, 0
    for orders in _groups(client, clock, reader, (start, end)):
        hashing = process_time()
        count, digest = count + len(orders), digest + sum(map(_hash, orders))
        cpu += process_time() - hashing
    seconds = process_time() - cpu
    points, waited = sum(cost.actual or 0 for cost in costs), clock.elapsed()
    return Extraction(reader, count, client.calls, points, waited, seconds, peak_memory(), base, f"{digest:x}")


def _groups(
    client: ShopifyClient, clock: ManualClock, reader: str, window: tuple[datetime, datetime]
) -> Iterator[list[Order]]:
    """Yield the orders: all at once by pages, those of each day in bulk."""
    pages = ShopifyReader(client, clock)
    if reader == PAGES:
        yield pages.orders(*window)
        return
    with tempfile.TemporaryDirectory() as folder:
        bulk_reader = BulkOrderReader(pages, client, clock, Path(folder) / "bulk")
        yield from _days(bulk_reader, window)


def _days(bulk_reader: BulkOrderReader, window: tuple[datetime, datetime]) -> Iterator[list[Order]]:
    with bulk_reader.read(*window) as read:
        for _, orders in read.days(ZoneInfo("Pacific/Auckland")):
            yield orders


def _record_costs(client: ShopifyClient) -> list[QueryCost]:
    """Return a list that receives the cost of each query."""
    costs: list[QueryCost] = []
    learn = client._bucket.learn

    def record(document: str, cost: QueryCost | None, now: float) -> None:
        if cost is not None:
            costs.append(cost)
        learn(document, cost, now)

    client._bucket.learn = record  # type: ignore[method-assign]
    return costs


def _hash(order: Order) -> int:
    return int.from_bytes(hashlib.blake2b(order.model_dump_json().encode(), digest_size=8).digest())


if __name__ == "__main__":
    address, reader, start, end = sys.argv[1:]
    print(json.dumps(asdict(extract(address, reader, datetime.fromisoformat(start), datetime.fromisoformat(end)))))
