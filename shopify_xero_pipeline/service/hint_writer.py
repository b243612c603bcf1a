"""Group commit of webhook hints: deliveries that arrive together are stored in one transaction.

A sender gets its response only after its hint is durable. A delivery that waits too long is refused and sent again; if
its hint is stored after all, the second delivery is a duplicate. `state/webhook_hints.py` decides what is stored and
what counts as a duplicate.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.service.body_reader import RefusedRequestError
from shopify_xero_pipeline.state.webhook_hints import WebhookHint

MAX_HINTS_PER_WRITE = 500
MAX_WAITING = 5_000
RETRY_LATER = "not stored now; send it again later"
WaitingDelivery = tuple[Sequence[WebhookHint], "asyncio.Future[bool]"]


class HintWriter:
    """Stores hints in one thread of its own.

    Args:
        add: makes hints durable; may raise anything.
        timeout_seconds: how long a delivery waits.
    """

    def __init__(self, add: Callable[[Sequence[WebhookHint]], object], timeout_seconds: float) -> None:
        self._add = add
        self._timeout_seconds = timeout_seconds
        self._waiting: list[WaitingDelivery] = []
        self._waiting_hints = 0
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "hint-writer")

    async def submit(self, hints: Sequence[WebhookHint]) -> None:
        """Store hints; they are durable when this returns.

        Args:
            hints: the hints of one delivery.

        Raises:
            RefusedRequestError: too many hints wait, the store cannot be written, or the time is over.
        """
        if self._waiting_hints + len(hints) > MAX_WAITING:
            raise RefusedRequestError(503, RETRY_LATER)
        is_durable = asyncio.get_running_loop().create_future()
        self._waiting.append((hints, is_durable))
        self._waiting_hints += len(hints)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        try:
            async with asyncio.timeout(self._timeout_seconds):
                durable = await asyncio.shield(is_durable)
        except TimeoutError:
            durable = False
        if not durable:
            raise RefusedRequestError(503, RETRY_LATER)

    async def close(self) -> None:
        """Store the waiting hints and end the thread."""
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                durable = await self._write([hint for hints, _ in batch for hint in hints])
                for hints, is_durable in batch:
                    self._waiting_hints -= len(hints)
                    is_durable.set_result(durable)
        finally:
            self._writing = None

    def _next_batch(self) -> list[WaitingDelivery]:
        batch, count = list[WaitingDelivery](), 0
        while self._waiting and (not batch or count + len(self._waiting[0][0]) <= MAX_HINTS_PER_WRITE):
            batch.append(self._waiting.pop(0))
            count += len(batch[-1][0])
        return batch

    async def _write(self, hints: Sequence[WebhookHint]) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._add, hints)
        except Exception as problem:
            events.log_event("deliveries_not_kept", level=logging.ERROR, deliveries=len(hints), reason=str(problem))
            return False
        return True
