"""Bulk operations of Shopify's Admin API: start, progress, end (docs/contracts/shopify.md §3.7).

An operation executes one query in the background and writes its result to a file. This module knows operations, and
neither queries nor files. A marker in the text of a query identifies its operation, so that the loss of a response
starts no second one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    BulkQueryFailedError,
    QueryRefusedError,
    ResultExpiredError,
    ShopifyUnavailableError,
)
from shopify_xero_pipeline.shopify.queries import document
from shopify_xero_pipeline.shopify.responses import quoted

UNFINISHED = frozenset({"CREATED", "RUNNING", "CANCELING"})
BUSY = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})

FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 2.0, 30.0
"""Pauses between two polls; each is twice the one before."""

STALL_SECONDS = 1_800.0
"""Time without a further object after which an operation is cancelled; Shopify itself waits up to ten days."""

BUSY_SECONDS = 1_800.0
"""Longest wait for the end of other operations of this app, of which Shopify limits the number."""

LOST_SECONDS = 10.0
"""Pause before the search for an operation whose response was lost, in which a late request still arrives."""

START_ATTEMPTS = 3


@dataclass(frozen=True)
class BulkOperation:
    """The state of an operation.

    Attributes:
        id: its global id.
        status: CREATED, RUNNING, COMPLETED, CANCELING, CANCELED, FAILED or EXPIRED.
        error_code: why it failed: ACCESS_DENIED, INTERNAL_SERVER_ERROR or TIMEOUT.
        objects: the number of rows so far.
        roots: the number of rows without a parent so far.
        url: the address of its result; None before the end, and for a result without rows.
    """

    id: str
    status: str
    error_code: str | None
    objects: int
    roots: int
    url: str | None


class BulkOperations:
    """The bulk operations of this app.

    Args:
        client: sends the requests.
        clock: the waits.
    """

    def __init__(self, client: ShopifyClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def start(self, query: str, marker: str) -> BulkOperation:
        """Start an operation, after a wait for other ones if there are too many.

        Args:
            query: the bulk query, which contains the marker.
            marker: a text that no other query contains.

        Raises:
            QueryRefusedError: Shopify refuses the query.
            BulkQueryFailedError: other operations run for too long.
            ShopifyError: the start failed.
        """
        waited, failures = 0.0, 0
        while True:
            try:
                operation = self._try_to_start(query)
            except ShopifyUnavailableError:
                failures += 1
                self._clock.sleep(LOST_SECONDS)
                if (started := self.find(marker)) is not None:
                    return started
                if failures >= START_ATTEMPTS:
                    raise
                continue
            if operation is not None:
                return operation
            if waited >= BUSY_SECONDS:
                raise BulkQueryFailedError(
                    "Shopify runs as many bulk operations of this app as it allows. Run it again when they have ended."
                )
            self._clock.sleep(LONGEST_POLL_SECONDS)
            waited += LONGEST_POLL_SECONDS

    def find(self, marker: str) -> BulkOperation | None:
        """Return the operation whose query contains a marker; None if it is not among the newest ones.

        Raises:
            ShopifyError: the read failed.
        """
        nodes = self._client.execute(document("NewestBulkOperations"), {})["bulkOperations"]["nodes"]
        return next((_parse(node) for node in nodes if marker in node["query"]), None)

    def wait(self, operation_id: str) -> BulkOperation:
        """Wait for the end of an operation and return it, with the status COMPLETED.

        Raises:
            AccessDeniedError: the query needs an access scope that the app lacks.
            BulkQueryFailedError: Shopify failed to execute the query, or made no progress.
            ResultExpiredError: Shopify no longer has the result.
            ShopifyError: the read failed.
        """
        objects, progress_at, pause = -1, self._clock.elapsed(), FIRST_POLL_SECONDS
        while True:
            operation = self._read(operation_id)
            if operation.status not in UNFINISHED:
                return _check_end(operation)
            if operation.objects != objects:
                objects, progress_at = operation.objects, self._clock.elapsed()
            elif self._clock.elapsed() - progress_at >= STALL_SECONDS:
                self._cancel(operation)
            self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_SECONDS)

    def _try_to_start(self, query: str) -> BulkOperation | None:
        """Return the started operation; None if too many others run."""
        payload = self._client.start(document("RunBulkQuery"), {"query": query})["bulkOperationRunQuery"]
        node = payload and payload["bulkOperation"]
        if node:
            events.log_event("bulk_operation_started", operation=node["id"])
            return _parse(node)
        errors = payload["userErrors"] if payload else []
        if errors and all(error["code"] in BUSY for error in errors):
            return None
        raise QueryRefusedError(f"Shopify refuses the bulk query: {quoted(errors)} Report this.")

    def _read(self, operation_id: str) -> BulkOperation:
        node = self._client.execute(document("BulkOperationById"), {"id": operation_id})["bulkOperation"]
        if node is None:
            raise ResultExpiredError("Shopify no longer has the bulk operation. Run it again; it is read anew.")
        return _parse(node)

    def _cancel(self, operation: BulkOperation) -> None:
        """Cancel an operation that makes no progress."""
        self._client.execute(document("CancelBulkOperation"), {"id": operation.id})
        raise BulkQueryFailedError(
            f"The bulk operation {operation.id} has made no progress for {STALL_SECONDS / 60:.0f} minutes and was "
            "cancelled. Run it again later, or with a shorter range."
        )


def _parse(node: Mapping[str, Any]) -> BulkOperation:
    objects, roots = int(node["objectCount"]), int(node["rootObjectCount"])
    return BulkOperation(node["id"], node["status"], node["errorCode"], objects, roots, node["url"])


def _check_end(operation: BulkOperation) -> BulkOperation:
    """Return a completed operation, and raise the error of any other one; partial data is never used."""
    if operation.status == "COMPLETED":
        return operation
    if operation.status == "EXPIRED":
        raise ResultExpiredError("The result of a bulk operation has expired. Run it again; it is read anew.")
    if operation.error_code == "ACCESS_DENIED":
        raise AccessDeniedError(
            "The app lacks an access scope for the orders of the range. Run the same command for a single day, which "
            "names the scope."
        )
    reason = operation.error_code or "no reason given"
    raise BulkQueryFailedError(
        f"The bulk operation {operation.id} ended as {operation.status} ({reason}). Its partial data is not used. Run "
        "it again later, or with a shorter range."
    )
