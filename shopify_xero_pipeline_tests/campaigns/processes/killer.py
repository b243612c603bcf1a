"""The kills and pauses of a round's workers: killed, stopped for longer than Q, and replaced at once.

Some happen at any moment, most are aimed: the worker signals itself between the commit of SENT and the first byte, or
between the response and its settlement. The signal is the kernel's SIGKILL or SIGSTOP in both cases.
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

from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.state.database_errors import StoreBusyError
from shopify_xero_pipeline.state.records import BatchState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.campaigns.processes.board import Aim, Board, Phase
from shopify_xero_pipeline_tests.campaigns.processes.worker import Orders, work

PATIENCE, LONG_PATIENCE = 5.0, 20.0
"""Real seconds within which a worker should write, before it is hit anyway; the longer one is for pauses."""

BETWEEN = (0.02, 0.4)  # real seconds between two hits
KILLS = (Aim.NOTHING, Aim.DIE_WHEN_SENDING, Aim.DIE_WHEN_ANSWERED)
STOPS = (Aim.NOTHING, Aim.STOP_WHEN_SENDING, Aim.STOP_WHEN_PAYING)
AT_ONCE = 2  # stopped workers


class Crew:
    """The running and stopped workers of a round."""

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
        """Start workers up to the crew's size, without counting stopped ones."""
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
        """Kill a worker: at any moment, before a write leaves, or after its response arrived."""
        number = self._pick_worker()
        aim = self._rng.choice(KILLS)
        process = self.running.pop(number)
        if aim is Aim.NOTHING or not self._aim_at(number, aim, lambda: process.exitcode is not None):
            process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            self.tally["ended by themselves"] += 1
            return
        self.tally["kills"] += 1
        self.tally[f"kills while {Phase(self.board.places[number].phase).name.lower()}"] += 1

    def stop(self, store: StateStore) -> None:
        """Stop a worker for longer than Q: at any moment, or between SENT and the first byte."""
        number = self._pick_worker()
        aim = self._rng.choice(STOPS if self._orders.guarded else [Aim.STOP_WHEN_PAYING])
        process = self.running.pop(number)
        pid = process.pid or 0
        if aim is Aim.NOTHING or not self._aim_at(number, aim, lambda: _is_stopped(pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        length = QUIESCENCE.total_seconds() * self._rng.uniform(1.05, 1.6) / self._orders.clock.scale
        self.stopped.append((time.monotonic() + length, number, process))
        self.tally["pauses"] += 1
        if self.board.places[number].phase == Phase.SENDING and self._waits_for_first_byte(store):
            self.tally["pauses between SENT and the first byte"] += 1

    def resume(self, *, all_of_them: bool = False) -> None:
        """Continue the workers whose pause is over; surplus workers are not replaced after their kill."""
        now = time.monotonic()
        for due, number, process in list(self.stopped):
            if due <= now or all_of_them:
                with suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGCONT)
                self.stopped.remove((due, number, process))
                self.running[number] = process

    def end(self) -> None:
        """Kill the remaining workers."""
        for process in [*self.running.values(), *(process for _, _, process in self.stopped)]:
            process.kill()
            process.join()

    def _pick_worker(self) -> int:
        return self._rng.choice(list(self.running))

    def _aim_at(self, number: int, aim: Aim, hit: Callable[[], bool]) -> bool:
        """Have a worker signal itself at its next write; return whether it did in time."""
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
        """Return whether the store has a batch marked as sent of which Xero has received nothing."""
        try:
            batches = [batch for batch in store.journal.unsettled() if batch.state is BatchState.SENT]
        except StoreBusyError:  # another thread of the worker was in a transaction
            return False
        keys = [batch.idempotency_key for batch in batches]
        answers = [httpx.get(f"{self._orders.address}/_round/arrived", params={"key": key}) for key in keys]
        return any(answer.json() is False for answer in answers)


def torment(
    crew: Crew, store: StateStore, kills: int, pauses: int, rng: random.Random, on_progress: Callable[[Crew], None]
) -> None:
    """Kill and stop workers the given number of times; each hit adds the orders of another day.

    Args:
        crew: the workers.
        store: their store.
        kills: the number of kills.
        pauses: the number of pauses.
        rng: the source of moments and victims.
        on_progress: called with the crew after each hit.
    """
    while crew.tally["kills"] < kills or crew.tally["pauses"] < pauses or crew.stopped:
        crew.resume()
        crew.replenish()
        on_progress(crew)
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
