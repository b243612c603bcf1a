"""Read of the orders of a long window by a bulk operation, day by day, with bounded memory.

The orders are the same records as those of `ShopifyReader.orders`. A bulk operation costs no points for its query,
while pages of many orders wait for the rate limit. This module combines the operation, the download, the rows and what
a bulk query cannot hold (docs/contracts/shopify.md §3.7).
"""

import hashlib
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path

from shopify_xero_pipeline.clock import Clock, is_recent
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.bulk_folder import RESUMABLE, BulkFolder, BulkRequest, delete_old, open_folder
from shopify_xero_pipeline.shopify.bulk_operations import BulkOperation, BulkOperations
from shopify_xero_pipeline.shopify.bulk_rows import BulkRows
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import BulkQueryFailedError, IncompleteReadError, ResultExpiredError
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.paging import Json
from shopify_xero_pipeline.shopify.reader import BULK_REFUNDS, ShopifyReader
from shopify_xero_pipeline.shopify.search import INDEX_LAG, Window, parse_instant

MANY_DAYS = timedelta(days=7)
"""Length of a window above which its orders are counted; a shorter one is read by pages without a call for that."""

MANY_ORDERS = 1_000
"""Number of orders from which a window is read in bulk.

Pages of them cost 4 points an order, so that 1,000 orders cost twice the bucket of a Standard shop, and 20 calls. A
bulk operation has 10 calls for as many, which hardly grow, and its own duration, which a short read does not repay.
"""

_ATTEMPTS = 3
"""Operations of one read: further ones after a failure, an expired result or a shortfall."""

_DOWNLOADS = 3


class BulkRead:
    """The orders of a window, whose rows are on this machine.

    Args:
        reader: reads the transactions of refunds, and orders that changed in the meantime.
        rows: the rows of the operation.
        window: the start, inclusive, and the end, exclusive.
        read_at: Shopify's time before the operation began; the orders may lack later changes. None if unknown.
    """

    def __init__(self, reader: ShopifyReader, rows: BulkRows, window: Window, read_at: datetime | None) -> None:
        self._reader = reader
        self._rows = rows
        self._window = window
        self.read_at = read_at

    def days(self, zone: tzinfo) -> Iterator[tuple[date, list[Order]]]:
        """Yield each day of the window in a time zone, in order, with its orders, oldest first, as they are needed.

        An order that was moved to an earlier day after the operation began is left out, as its day was yielded before.

        Args:
            zone: the time zone of the days.

        Raises:
            IncompleteReadError: an order changes faster than it can be read.
            ShopifyError: the read failed.
        """
        waiting = self._orders()
        ahead, moved = next(waiting, None), list[Order]()
        for day in _days(self._window, zone):
            orders = [order for order in moved if _day_of(order.processed_at, zone) == day]
            while ahead is not None and _day_of(ahead[0], zone) <= day:
                moved_to = _day_of(ahead[1].processed_at, zone)
                if moved_to == day:
                    orders.append(ahead[1])
                elif moved_to > day:
                    moved.append(ahead[1])
                ahead = next(waiting, None)
            yield day, sorted(orders, key=lambda order: (order.processed_at, order.id))

    def _orders(self) -> Iterator[tuple[datetime, Order]]:
        """Yield the orders of the window by the time of their rows, with that time."""
        start, end = self._window
        refund_ids, refunds = self._rows.refund_ids(), dict[str, Json]()
        for node in self._rows.orders():
            placed_at = parse_instant(node["processedAt"])
            needed = {refund["id"] for refund in node["refunds"]}
            while not needed <= refunds.keys() and (ids := [*islice(refund_ids, BULK_REFUNDS)]):
                refunds |= {refund_id: {} for refund_id in ids} | self._reader.refunds(ids)
            own = {refund_id: refund for refund_id in needed if (refund := refunds.pop(refund_id, None))}
            if start <= placed_at < end and (order := self._reader.complete_bulk_order(node, own)) is not None:
                yield placed_at, order


class BulkOrderReader:
    """Reader of orders in bulk. Windows are half-open, [start, end), with aware instants.

    Args:
        reader: reads what a bulk query cannot hold.
        client: sends the requests.
        clock: the time and the waits.
        folder: the folder for the rows, which hold personal data.
    """

    def __init__(self, reader: ShopifyReader, client: ShopifyClient, clock: Clock, folder: Path) -> None:
        self._reader = reader
        self._client = client
        self._clock = clock
        self._folder = folder
        self._operations = BulkOperations(client, clock)

    def is_large(self, start: datetime, end: datetime) -> bool:
        """Return whether the orders of a window are better read in bulk than by pages.

        Raises:
            ShopifyError: the read failed.
        """
        delete_old(self._folder, self._clock)
        return end - start > MANY_DAYS and self._reader.count_orders(start, end) >= MANY_ORDERS

    @contextmanager
    def read(self, start: datetime, end: datetime) -> Iterator[BulkRead]:
        """Read the orders with `processedAt` in the window, each with its whole history.

        A read that did not end, in this process or an earlier one, is continued for twelve hours. The rows are deleted
        when the block ends without an error.

        Args:
            start: the start of the window, inclusive.
            end: the end of the window, exclusive.

        Raises:
            AccessDeniedError: a scope is missing; `read_all_orders` for a window that starts more than 60 days ago.
            IncompleteReadError: Shopify counts more orders or rows than it returns.
            BulkQueryFailedError: Shopify failed to execute the query.
            ShopifyError: the read failed.
        """
        query = self._reader.bulk_orders_query(start, end)
        with open_folder(self._folder, hashlib.sha256(query.encode()).hexdigest()[:16]) as folder:
            with self._fetch(folder, query, (start, end)) as rows:
                request = folder.request()
                read_at = parse_instant(request.read_at) if request is not None and request.read_at else None
                yield BulkRead(self._reader, rows, (start, end), read_at)
            folder.remove()

    def _fetch(self, folder: BulkFolder, query: str, window: Window) -> BulkRows:
        """Return the complete rows, from a further operation if one fails."""
        request = self._resume(folder) or self._begin(folder, window)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                operation = self._operations.wait(self._operation_id(folder, request, query))
                return self._complete_rows(folder, operation, request, window)
            except (BulkQueryFailedError, ResultExpiredError, IncompleteReadError) as error:
                if attempt == _ATTEMPTS:
                    folder.remove()
                    raise
                events.log_event("bulk_read_again", level=logging.WARNING, reason=str(error))
            self._clock.sleep(INDEX_LAG)
            request = self._begin(folder, window)
        raise AssertionError("the last attempt returns or raises")

    def _resume(self, folder: BulkFolder) -> BulkRequest | None:
        """Return the request of a read that did not end, with its operation; None without a recent one."""
        request = folder.request()
        if request is None or not is_recent(datetime.fromisoformat(request.begun_at), self._clock.now(), RESUMABLE):
            return None
        if request.operation_id is None and (operation := self._operations.find(request.marker)) is not None:
            request = replace(request, operation_id=operation.id)
            folder.store(request)
        return request

    def _begin(self, folder: BulkFolder, window: Window) -> BulkRequest:
        """Store a new request before its operation is started."""
        counted = self._reader.count_orders(*window)
        read_at = self._reader.time()
        request = BulkRequest(
            marker=uuid.uuid4().hex,
            begun_at=self._clock.now().isoformat(),
            read_at=read_at.isoformat() if read_at is not None else None,
            counted=counted,
        )
        folder.store(request)
        return request

    def _operation_id(self, folder: BulkFolder, request: BulkRequest, query: str) -> str:
        """Return the operation of a request, which is started unless that has happened."""
        if request.operation_id is not None:
            return request.operation_id
        # Shopify keeps the comment, so that the operation can be found by it (docs/contracts/shopify.md §3.7).
        operation = self._operations.start(f"# shopify-xero-pipeline {request.marker}\n{query}", request.marker)
        folder.store(replace(request, operation_id=operation.id))
        return operation.id

    def _complete_rows(
        self, folder: BulkFolder, operation: BulkOperation, request: BulkRequest, window: Window
    ) -> BulkRows:
        """Return the rows of a completed operation, if it has as many orders as Shopify counts."""
        rows = self._download(folder, operation)
        # An order may have been deleted, or imported, since the first count.
        counted = min(request.counted, self._reader.count_orders(*window))
        orders = rows.count.orders
        if orders >= counted:
            events.log_event("bulk_read", operation=operation.id, orders=orders, rows=rows.count.rows)
            return rows
        rows.close()
        raise IncompleteReadError(
            f"Shopify counts {counted} orders from {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d} but its bulk operation "
            f"returned {orders}. None is used; run it again later."
        )

    def _download(self, folder: BulkFolder, operation: BulkOperation) -> BulkRows:
        """Return the rows of a completed operation, all of them.

        A download that seems complete and is not is continued once, and then repeated.
        """
        for attempt in range(1, _DOWNLOADS + 1):
            if attempt == _DOWNLOADS:
                folder.clear_rows()
            if operation.url is not None:
                self._client.download(operation.url, folder.rows)
            try:
                rows = BulkRows(folder.rows, folder.index)
            except IncompleteReadError:
                if attempt == _DOWNLOADS:
                    raise
                continue
            if (rows.count.rows, rows.count.roots) == (operation.objects, operation.roots):
                return rows
            count = rows.count
            rows.close()
        raise IncompleteReadError(
            f"The bulk operation {operation.id} has {operation.objects} rows of {operation.roots} orders, but "
            f"{count.rows} of {count.roots} arrived. None is used; run it again later."
        )


def _day_of(instant: datetime, zone: tzinfo) -> date:
    return instant.astimezone(zone).date()


def _days(window: Window, zone: tzinfo) -> Iterator[date]:
    """Yield the days that a window touches."""
    day, last = _day_of(window[0], zone), _day_of(window[1] - timedelta(microseconds=1), zone)
    while day <= last:
        yield day
        day += timedelta(days=1)
