"""The bulk operations of one app on one shop: states over time, limits, and the files of their results (E12).

Source: docs/contracts/shopify.md §3.7. The query itself is checked and executed by `bulk_query.py`.
"""

import hashlib
import json
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.bulk_query import BulkResult
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions

FOLDER = "/bulk-operation-outputs/"
"""Path of the files, which need no token."""

LIFETIME = timedelta(days=7)
"""Time after which the address of a file expires."""

LONGEST = timedelta(days=10)
"""Time after which Shopify stops an operation."""

SEVERAL_SINCE = "2026-01"
"""The first API version with several operations at once."""

CANCELING = timedelta(seconds=3)
"""Time between the cancellation and its effect."""

Execute = Callable[[str, datetime], BulkResult]
_NAMES = {"CREATED": "created", "RUNNING": "running", "CANCELING": "canceling"}


@dataclass
class _Operation:
    """An operation; its result exists from the instant at which it begins to run.

    Attributes:
        outcome: the state in which it ends; RUNNING for an operation that stalls.
    """

    number: int
    query: str
    is_grouped: bool
    created_at: datetime
    outcome: str
    result: BulkResult | None = None
    canceled_at: datetime | None = None

    @property
    def id(self) -> str:
        return f"gid://shopify/BulkOperation/{self.number}"


@dataclass(frozen=True)
class _State:
    """The state of an operation at an instant; `rows` are those that it has written so far."""

    status: str
    rows: Sequence[bytes] = ()
    ended_at: datetime | None = None
    error: str | None = None


class BulkOperations:
    """The operations of one app on one shop.

    Args:
        options: the options of the shop.
        problems: returns why a query is refused.
        execute: returns the result of a query at an instant.
    """

    def __init__(self, options: ShopifyOptions, problems: Callable[[str], list[str]], execute: Execute) -> None:
        self._options = options
        self._problems = problems
        self._execute = execute
        self._operations: dict[str, _Operation] = {}

    def run(self, query: str, *, is_grouped: bool, now: datetime, version: str, outcome: str | None) -> Node:
        """Create an operation and return the payload of the mutation.

        Args:
            query: the bulk query.
            is_grouped: whether rows follow their parents.
            now: the present instant.
            version: the API version of the call.
            outcome: the state in which a fault ends the operation; None for none.
        """
        if problems := self._problems(query):
            return _refusal([{"field": ["query"], "message": each, "code": "INVALID"} for each in problems])
        limit = self._options.bulk_limit if version >= SEVERAL_SINCE else 1
        running = [each.id for each in self._operations.values() if self._state(each, now).status in _NAMES]
        if len(running) >= limit:
            message = f"A bulk query operation for this app and shop is already in progress: {', '.join(running)}."
            return _refusal([{"field": None, "message": message, "code": "OPERATION_IN_PROGRESS"}])
        number = 7_000_000_000_001 + len(self._operations)
        operation = _Operation(number, query, is_grouped, now, outcome or "COMPLETED")
        self._operations[operation.id] = operation
        return {"bulkOperation": self._node(operation, now, ""), "userErrors": []}

    def cancel(self, gid: str, now: datetime, base_url: str) -> Node:
        """Cancel an operation and return the payload of the mutation."""
        operation = self._operations.get(gid)
        if operation is None:
            return _refusal([{"field": ["id"], "message": "Bulk operation does not exist"}])
        errors, status = [], self._state(operation, now).status
        if status not in _NAMES:
            text = f"A bulk operation cannot be canceled when it is {status.lower()}"
            errors.append({"field": None, "message": text})
        elif operation.canceled_at is None:
            operation.canceled_at = now
        return {"bulkOperation": self._node(operation, now, base_url), "userErrors": errors}

    def node(self, gid: str, now: datetime, base_url: str) -> Node | None:
        """Return an operation by its id; None if it does not exist."""
        operation = self._operations.get(gid)
        return None if operation is None else self._node(operation, now, base_url)

    def nodes(self, now: datetime, base_url: str) -> list[Node]:
        """Return all operations, the newest first."""
        return [self._node(each, now, base_url) for each in reversed(self._operations.values())]

    def file(self, name: str, signature: str, now: datetime) -> bytes | None:
        """Return the content of a file; None if the address is wrong or has expired.

        Args:
            name: the name of the file.
            signature: the signature in its address.
            now: the present instant.
        """
        number, _, part = name.partition("-")
        operation = self._operations.get(f"gid://shopify/BulkOperation/{number}")
        if operation is None or signature != _signature(name):
            return None
        state = self._state(operation, now)
        is_whole = state.status == "COMPLETED"
        if state.ended_at is None or now >= state.ended_at + LIFETIME or is_whole != (part == "final"):
            return None
        return b"".join(row + b"\n" for row in state.rows)

    def _node(self, operation: _Operation, now: datetime, base_url: str) -> Node:
        state = self._state(operation, now)
        is_whole = state.status == "COMPLETED"
        roots = sum(b'"__parentId"' not in row for row in state.rows)
        address = self._address(operation, state, now, base_url)
        return {
            "__typename": "BulkOperation",
            "id": operation.id,
            "type": "QUERY",
            "query": operation.query,
            "status": state.status,
            "errorCode": state.error,
            "createdAt": operation.created_at.isoformat(),
            "completedAt": state.ended_at.isoformat() if is_whole and state.ended_at else None,
            "objectCount": len(state.rows),
            "rootObjectCount": roots,
            "fileSize": sum(len(row) + 1 for row in state.rows) if is_whole and state.rows else None,
            "url": address if is_whole else None,
            "partialDataUrl": None if is_whole else address,
        }

    def _address(self, operation: _Operation, state: _State, now: datetime, base_url: str) -> str | None:
        if state.ended_at is None or not state.rows or now >= state.ended_at + LIFETIME:
            return None
        name = f"{operation.number}-{'final' if state.status == 'COMPLETED' else 'partial'}"
        expires = int((state.ended_at + LIFETIME).astimezone(UTC).timestamp())
        return f"{base_url}{FOLDER}{name}?Expires={expires}&Signature={_signature(name)}"

    def _state(self, operation: _Operation, now: datetime) -> _State:
        """Return the state of an operation at an instant; its query is executed at the first one after its start."""
        started_at = operation.created_at + self._options.bulk_start
        if operation.canceled_at is not None:
            return self._canceled(operation, operation.canceled_at, now)
        if now < started_at:
            return _State("CREATED")
        rows = self._rows(operation, started_at)
        result = operation.result
        assert result is not None
        ends_at = started_at + self._duration(len(rows))
        if now < ends_at:
            share = (now - started_at) / (ends_at - started_at)
            return _State("RUNNING", rows[: int(len(rows) * share)])
        if result.error is not None:
            return _State("FAILED", rows, ends_at, result.error)
        return self._ended(operation, rows, ends_at, now)

    def _ended(self, operation: _Operation, rows: Sequence[bytes], ends_at: datetime, now: datetime) -> _State:
        half = rows[: len(rows) // 2]
        match operation.outcome:
            case "FAILED":
                return _State("FAILED", half, ends_at, "INTERNAL_SERVER_ERROR")
            case "CANCELED":
                return _State("CANCELED", half, ends_at)
            case "RUNNING" if now < operation.created_at + LONGEST:
                return _State("RUNNING", half)
            case "RUNNING":
                return _State("FAILED", half, operation.created_at + LONGEST, "TIMEOUT")
        is_expired = operation.outcome == "EXPIRED" or now >= ends_at + LIFETIME
        return _State("EXPIRED" if is_expired else "COMPLETED", rows, ends_at - LIFETIME if is_expired else ends_at)

    def _canceled(self, operation: _Operation, canceled_at: datetime, now: datetime) -> _State:
        started_at = operation.created_at + self._options.bulk_start
        rows = self._rows(operation, started_at) if canceled_at > started_at else []
        share = min(1.0, (canceled_at - started_at) / self._duration(len(rows)))
        written = rows[: int(len(rows) * max(0.0, share))]
        ended_at = canceled_at + CANCELING
        return _State("CANCELING", written) if now < ended_at else _State("CANCELED", written, ended_at)

    def _rows(self, operation: _Operation, started_at: datetime) -> Sequence[bytes]:
        if operation.result is None:
            result = self._execute(operation.query, started_at)
            if not operation.is_grouped:
                _interleave(result.rows, random.Random(f"{self._options.bulk_seed}/{operation.number}"))
            operation.result = result
        return operation.result.rows

    def _duration(self, rows: int) -> timedelta:
        return timedelta(seconds=max(1.0, rows / self._options.bulk_rows_per_second))


def _interleave(rows: list[bytes], rng: random.Random) -> None:
    """Shuffle rows; those of one connection keep their order, which is all that Shopify promises (§3.7)."""
    parents = [json.loads(row).get("__parentId", "") for row in rows]
    queues: dict[str, deque[bytes]] = defaultdict(deque)
    for parent, row in zip(parents, rows, strict=True):
        queues[parent].append(row)
    rng.shuffle(parents)
    rows[:] = [queues[parent].popleft() for parent in parents]


def _refusal(errors: list[Node]) -> Node:
    return {"bulkOperation": None, "userErrors": errors}


def _signature(name: str) -> str:
    return hashlib.sha256(f"sandbox/{name}".encode()).hexdigest()[:40]
