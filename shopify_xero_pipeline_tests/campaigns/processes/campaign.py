"""Rounds, in each of which workers load from one store into one organisation and are killed and stopped.

A round ends after all kills and pauses, when the faults have ended and the workers have settled everything; then the
books are compared. This module only contains the course of rounds and their figures.
"""

import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import httpx

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.campaigns.processes import server, worker
from shopify_xero_pipeline_tests.campaigns.processes.board import Board
from shopify_xero_pipeline_tests.campaigns.processes.killer import Crew, torment
from shopify_xero_pipeline_tests.campaigns.processes.scaled import ScaledClock
from shopify_xero_pipeline_tests.campaigns.processes.verdict import Verdict, judge
from shopify_xero_pipeline_tests.campaigns.processes.worker import Orders
from shopify_xero_pipeline_tests.campaigns.processes.workload import wanted

STANDSTILL = 7_200.0
"""Scaled seconds after the last fault without a write or a finished load, after which the round counts as stuck."""


@dataclass(frozen=True)
class Task:
    """One round. `scale` is the speed of its clock; `guarded` is False in the negative control."""

    workers: int
    kills: int
    pauses: int
    seed: int
    scale: float
    guarded: bool = True


@dataclass
class Outcome:
    """The result of a round: its figures, and the errors in the books."""

    task: Task
    verdict: Verdict
    tally: Counter[str] = field(default_factory=Counter)
    server: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def forks() -> ForkServerContext:
    """Return the context that forks a worker within milliseconds from a process with the modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [worker.__name__, server.__name__, "psycopg", "sqlalchemy.dialects.postgresql.psycopg"]
    )
    return context


def tasks(kills: int, pauses: int, sizes: Sequence[int], seed: int, scale: float) -> Iterator[Task]:
    """Yield rounds with the given numbers of workers, among which kills and pauses are distributed.

    Args:
        kills: the number of kills in all rounds.
        pauses: the number of pauses in all rounds.
        sizes: the number of workers of each round.
        seed: the seed of the first worker count.
        scale: the speed of the clock.
    """
    for number, size in enumerate(sizes):
        share = [whole * (number + 1) // len(sizes) - whole * number // len(sizes) for whole in (kills, pauses)]
        yield Task(size, share[0], share[1], seed + size, scale)


def run(task: Task, url: str, context: ForkServerContext, on_progress: Callable[[Crew], None]) -> Outcome:
    """Run one round on an empty store.

    Args:
        task: the round.
        url: the URL of the store.
        context: the context of its processes.
        on_progress: called with the crew during the round.
    """
    began, clock, board = time.monotonic(), ScaledClock(task.scale), Board()
    rng = random.Random(task.seed)
    with tempfile.TemporaryDirectory() as folder, served(context, clock, task.seed) as address:
        unexpected = Path(folder) / "unexpected"
        orders = Orders(url, address, clock, unexpected, task.seed, task.guarded)
        crew = Crew(context, orders, board, task.workers, rng)
        with closing(StateStore(url, clock)) as store:
            board.days = 2
            try:
                torment(crew, store, task.kills, task.pauses, rng, on_progress)
                httpx.post(f"{address}/_round/calm")
                board.end()
                stuck = _finish(crew, clock)
            finally:
                crew.end()
            verdict = judge(XeroBooks.from_json(httpx.get(f"{address}/_round/books").text), store, board.days)
        verdict.wrong += stuck + ([unexpected.read_text()] if unexpected.exists() else [])
        crew.tally |= {name: board.total(name) for name in ("loads", "writes", "put_off", "broken", "timeouts")}
        crew.tally["records"] = len(wanted(board.days))
        figures = httpx.get(f"{address}/_round/figures").json()
    return Outcome(task, verdict, crew.tally, figures, time.monotonic() - began)


def _finish(crew: Crew, clock: ScaledClock) -> list[str]:
    """Wait until each worker has exited; return the ones that have not after a standstill."""
    crew.replenish()
    moved, since = -1, clock.elapsed()
    while clock.elapsed() < since + STANDSTILL:
        running = [number for number, process in crew.running.items() if process.exitcode != 0]
        if not running:
            return []
        present = crew.board.total("writes") + crew.board.total("loads")
        moved, since = (present, clock.elapsed()) if present != moved else (moved, since)
        crew.running[running[0]].join(0.5)
    return [f"worker {number} has not come to an end" for number in running]


@contextmanager
def served(context: ForkServerContext, clock: ScaledClock, seed: int) -> Iterator[str]:
    """Serve an empty organisation from another process; yield its address."""
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=server.serve, args=(clock, seed, there), daemon=True)
    process.start()
    try:
        if not here.poll(30):
            raise TimeoutError("the sandbox's Xero did not start within 30 s")
        yield here.recv()
    finally:
        process.kill()
        process.join()
