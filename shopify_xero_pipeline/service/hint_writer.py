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
from shopify_xero_pipeline.service.body_reader import Refusal
from shopify_xero_pipeline.state.webhook_hints import Hint

TOGETHER = 500
WAITING = 5_000
LATER = "not taken in now: send it again later"
Waiting = tuple[Sequence[Hint], "asyncio.Future[bool]"]


class Intake:
    """Writes hints by one thread of its own.

    Args:
        take_in: makes hints durable; may raise anything.
        patience: seconds for which a delivery waits.
    """

    def __init__(self, take_in: Callable[[Sequence[Hint]], object], patience: float) -> None:
        self._take_in = take_in
        self._patience = patience
        self._waiting: list[Waiting] = []
        self._held = 0
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "intake")

    async def take(self, hints: Sequence[Hint]) -> None:
        """Return when all of these hints are durable.

        Raises:
            Refusal: too many wait, the store cannot be written, or it takes too long.
        """
        if self._held + len(hints) > WAITING:
            raise Refusal(503, LATER)
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((hints, written))
        self._held += len(hints)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        try:
            async with asyncio.timeout(self._patience):
                durable = await asyncio.shield(written)
        except TimeoutError:
            raise Refusal(503, LATER) from None
        if not durable:
            raise Refusal(503, LATER)

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
        while self._waiting and (not some or count + len(self._waiting[0][0]) <= TOGETHER):
            some.append(self._waiting.pop(0))
            count += len(some[-1][0])
        return some

    async def _written(self, hints: Sequence[Hint]) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._take_in, hints)
        except Exception as problem:
            events.note("deliveries_not_kept", level=logging.ERROR, deliveries=len(hints), reason=str(problem))
            return False
        return True
