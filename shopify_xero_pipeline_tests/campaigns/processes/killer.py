"""What is done to the workers of a round: killed, stopped for longer than Q, and replaced at once.

Some of it comes at any moment, most is aimed: the worker does it to itself between the commit of SENT and the first
byte, or between the answer and its settling. It is the kernel's SIGKILL or SIGSTOP in either case.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import httpx
from sqlalchemy.exc import OperationalError

from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.state.records import BatchState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.campaigns.processes.board import Aim, Board, Phase
from shopify_xero_pipeline_tests.campaigns.processes.worker import Orders, work

PATIENCE, LONG_PATIENCE = 5.0, 20.0
"""Real seconds in which a worker is expected to write something, else it is hit where it is; the long ones to stop."""

BETWEEN = (0.02, 0.4)
KILLS = (Aim.NOTHING, Aim.DIE_WHEN_SENDING, Aim.DIE_WHEN_ANSWERED)
STOPS = (Aim.NOTHING, Aim.STOP_WHEN_SENDING, Aim.STOP_WHEN_PAYING)
AT_ONCE = 2


class Crew:
    """The workers of a round, running and stopped ones."""

    def __init__(self, context: ForkServerContext, orders: Orders, board: Board, size: int, rng: random.Random) -> None:
        self._context = context
        self._orders = orders
        self._rng = rng
        self.board = board
        self.size = size
        self.running: dict[int, ForkServerProcess] = {}
        self.stopped: list[tuple[float, int, ForkServerProcess]] = []
        self.started = 0
        self.tally: Counter[str] = Counter()

    def replenish(self) -> None:
        """Start workers until there are as many as there should be, stopped ones not counted."""
        for number, process in list(self.running.items()):
            if process.exitcode is not None:
                self.tally["ended by themselves"] += not self.board.over
                del self.running[number]
        while len(self.running) < self.size:
            process = self._context.Process(target=work, args=(self._orders, self.board, self.started), daemon=True)
            process.start()
            self.running[self.started] = process
            self.started += 1

    def kill(self) -> None:
        """Kill one: at any moment, or, by its own hand, before a write leaves or after its answer has come."""
        number = self._anyone()
        aim = self._rng.choice(KILLS)
        process = self.running.pop(number)
        if aim is Aim.NOTHING or not self._aimed(number, aim, lambda: process.exitcode is not None):
            process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            self.tally["ended by themselves"] += 1
            return
        self.tally["kills"] += 1
        self.tally[f"kills while {Phase(self.board.places[number].phase).name.lower()}"] += 1

    def stop(self, store: StateStore) -> None:
        """Stop one for longer than Q: at any moment or, by its own hand, between SENT and the first byte."""
        number = self._anyone()
        aim = self._rng.choice(STOPS if self._orders.guarded else [Aim.STOP_WHEN_PAYING])
        process = self.running.pop(number)
        pid = process.pid or 0
        if aim is Aim.NOTHING or not self._aimed(number, aim, lambda: _is_stopped(pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        length = QUIESCENCE.total_seconds() * self._rng.uniform(1.05, 1.6) / self._orders.clock.scale
        self.stopped.append((time.monotonic() + length, number, process))
        self.tally["pauses"] += 1
        if self.board.places[number].phase == Phase.SENDING and self._waits_for_first_byte(store):
            self.tally["pauses between SENT and the first byte"] += 1

    def resume(self, *, all_of_them: bool = False) -> None:
        """Let those go on whose time is over; if there are too many then, the next kill is not replaced."""
        now = time.monotonic()
        for due, number, process in list(self.stopped):
            if due <= now or all_of_them:
                with suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGCONT)
                self.stopped.remove((due, number, process))
                self.running[number] = process

    def end(self) -> None:
        """Kill whoever is left."""
        for process in [*self.running.values(), *(one for _, _, one in self.stopped)]:
            process.kill()
            process.join()

    def _anyone(self) -> int:
        return self._rng.choice(list(self.running))

    def _aimed(self, number: int, aim: Aim, hit: Callable[[], bool]) -> bool:
        """Ask a worker to do it to itself at its next write; tell whether it did in time."""
        place, until = (
            self.board.places[number],
            time.monotonic() + (LONG_PATIENCE if aim in STOPS else PATIENCE),
        )
        place.aim = aim
        while time.monotonic() < until:
            if hit():
                return True
            time.sleep(0.002)
        place.aim = Aim.NOTHING
        return hit()

    def _waits_for_first_byte(self, store: StateStore) -> bool:
        """Tell whether the store shows a batch as sent of which Xero has not seen anything."""
        try:
            sent = [batch for batch in store.journal.unsettled() if batch.state is BatchState.SENT]
        except OperationalError:
            return False
        keys = [batch.idempotency_key for batch in sent]
        asked = [httpx.get(f"{self._orders.address}/_round/arrived", params={"key": key}) for key in keys]
        return any(answer.json() is False for answer in asked)


def torment(
    crew: Crew, store: StateStore, kills: int, pauses: int, rng: random.Random, tell: Callable[[Crew], None]
) -> None:
    """Kill and stop workers until each was done as often as asked; each time another day's orders come in."""
    while crew.tally["kills"] < kills or crew.tally["pauses"] < pauses or crew.stopped:
        crew.resume()
        crew.replenish()
        tell(crew)
        time.sleep(rng.uniform(*BETWEEN))
        kills_left, pauses_left = kills - crew.tally["kills"], pauses - crew.tally["pauses"]
        may_stop = pauses_left > 0 and len(crew.stopped) < AT_ONCE
        if may_stop and (kills_left <= 0 or rng.random() < 3 * pauses_left / (kills_left + pauses_left)):
            crew.board.days += 1
            crew.stop(store)
        elif kills_left > 0:
            crew.board.days += 1
            crew.kill()


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False
