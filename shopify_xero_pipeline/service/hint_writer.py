"""Deliveries on their way to the disk: those that come together are written together, in one transaction.

A sender has its answer only when its hint is durable. Who waits too long is told to come again; if its hint is written
after all, the second delivery is known as a duplicate. What is kept, and what counts as one, is
`state/webhook_hints.py`'s.
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
RETRY_AFTER = "not taken in now: send it again later"
Waiting = tuple[Sequence[WebhookHint], "asyncio.Future[bool]"]


class HintWriter:
    """Writes hints by one thread of its own.

    Args:
        take_in: makes hints durable; may raise anything.
        patience: seconds for which a delivery waits.
    """

    def __init__(self, add: Callable[[Sequence[WebhookHint]], object], patience: float) -> None:
        self._take_in = add
        self._patience = patience
        self._waiting: list[Waiting] = []
        self._held = 0
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "intake")

    async def take(self, hints: Sequence[WebhookHint]) -> None:
        """Return when all of these hints are durable.

        Raises:
            Refusal: too many wait, the store cannot be written, or it takes too long.
        """
        if self._held + len(hints) > MAX_WAITING:
            raise RefusedRequestError(503, RETRY_AFTER)
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((hints, written))
        self._held += len(hints)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(self._patience):
                durable = await asyncio.shield(written)
        except TimeoutError:
            raise RefusedRequestError(503, RETRY_AFTER) from None
        if not durable:
            raise RefusedRequestError(503, RETRY_AFTER)

    async def close(self) -> None:
        """Write what waits, and end the thread."""
        if self._writing is not None:
            await self._writing
        self._thread.shutdown()

    async def _write(self) -> None:
        try:
            while self._waiting:
                some = self._next()
                durable = await self._written([hint for hints, _ in some for hint in hints])
                for hints, written in some:
                    self._held -= len(hints)
                    written.set_result(durable)
        finally:
            self._writing = None

    def _next(self) -> list[Waiting]:
        some, count = list[Waiting](), 0
        while self._waiting and (not some or count + len(self._waiting[0][0]) <= MAX_HINTS_PER_WRITE):
            some.append(self._waiting.pop(0))
            count += len(some[-1][0])
        return some

    async def _written(self, hints: Sequence[WebhookHint]) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._take_in, hints)
        except Exception as problem:
            events.log_event("deliveries_not_kept", level=logging.ERROR, deliveries=len(hints), reason=str(problem))
            return False
        return True
