"""A worker, a process that repeatedly loads days that others load too, until all of them are done.

It runs the product with a faster clock, batches of two records, and a transport that may stop or kill the process at a
chosen moment. Up to five requests of a process are in flight, each in a thread.
An error ends a run, and another one starts; an unexpected error is recorded for the campaign.
"""

import logging
import random
import signal
import traceback
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.in_flight import Threads
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.state.database_errors import StoreBusyError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline_tests.campaigns.processes.board import Aim, Board, Phase, Place
from shopify_xero_pipeline_tests.campaigns.processes.scaled import (
    ScaledClock,
    ScaledTransport,
    end_with_parent,
    kill_myself,
    stop_myself,
)
from shopify_xero_pipeline_tests.campaigns.processes.workload import plans
from shopify_xero_pipeline_tests.support.world import CREDENTIALS

PUT_OFF = (StoreBusyError, XeroUnavailableError)
"""Errors that postpone a run: a stopped process locked the store beyond the timeout, or Xero is unreachable."""

MOST_DAYS = 6  # in one load
NEWEST = 10  # days from which most loads are chosen
BATCH_SIZES = (2, 1, 1)  # elements by attempt, so that several requests of a load are in flight
LONGEST_REST = 10.0  # scaled seconds


@dataclass(frozen=True)
class Orders:
    """The parameters of a round's workers. `unexpected` is the file for unexpected errors."""

    url: str
    address: str
    clock: ScaledClock
    unexpected: Path
    seed: int
    guarded: bool = True


def work(orders: Orders, board: Board, number: int) -> None:
    """Load until all is done; the exit code is 0 only then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batch_requests.ATTEMPTS_BEFORE_SPLIT = BATCH_SIZES
    logging.disable()
    end_with_parent()
    place, rng = board.places[number], random.Random(f"{orders.seed} {number}")
    done = False
    while not done:
        try:
            with closing(StateStore(orders.url, orders.clock)) as store:
                _load_all(store, orders, board, place, rng)
                done = True
        except PUT_OFF:
            place.put_off += 1
        except Exception:
            place.broken += 1
            with orders.unexpected.open("a") as file:
                file.write(traceback.format_exc() + "\n")


def _load_all(store: StateStore, orders: Orders, board: Board, place: Place, rng: random.Random) -> None:
    """Load until all is done; an error ends it like a run."""
    with closing(_client(store, orders, place, rng)) as client:
        loader = Loader(client, store, orders.clock, rng, Threads())
        while True:
            over, days = board.over, _days(board, rng)
            postponed = [loader.load(plan, f"run {days}").count(LoadOutcome.POSTPONED) for plan in plans(days)]
            place.phase = Phase.ELSEWHERE
            place.loads += 1
            if over and not any(postponed) and not store.unfinished_days():
                return
            orders.clock.sleep(rng.uniform(0, LONGEST_REST))


def _days(board: Board, rng: random.Random) -> Sequence[int]:
    """Return the days to load now: a few, mostly new ones, and all of them at the end."""
    if board.over:
        return range(board.days)
    first = max(0, board.days - rng.randint(1, NEWEST)) if rng.random() < 0.6 else rng.randrange(board.days)
    return range(first, min(board.days, first + rng.randint(1, MOST_DAYS)))


def _client(store: StateStore, orders: Orders, place: Place, rng: random.Random) -> XeroClient:
    def watch(moment: str, path: str) -> None:
        if moment == "timed out":
            place.timeouts += 1
            return
        place.phase = Phase.SENDING if moment == "sending" else Phase.ANSWERED
        place.writes += moment == "sending"
        _obey(place, moment, path)

    kind = XeroClient if orders.guarded else Unguarded
    transport = ScaledTransport(orders.clock.scale, watch)
    return kind(
        CREDENTIALS,
        clock=orders.clock,
        base_url=orders.address,
        transport=transport,
        rng=rng,
        calls=store.calls,
    )


def _obey(place: Place, moment: str, path: str) -> None:
    """Execute the campaign's aim at this moment."""
    aim, sending = Aim(place.aim), moment == "sending"
    if (aim is Aim.DIE_WHEN_SENDING and sending) or (aim is Aim.DIE_WHEN_ANSWERED and not sending):
        kill_myself()
    paying = path.endswith("/Payments")
    if sending and (aim is Aim.STOP_WHEN_SENDING or (aim is Aim.STOP_WHEN_PAYING and paying)):
        place.aim = Aim.NOTHING
        stop_myself()


class Unguarded(XeroClient):
    """The planted bug of the negative control: no guard checks the deadline just before the bytes leave."""

    def write(self, method: str, path: str, body: bytes, **options: Any) -> Any:
        """Send without the guard."""
        return super().write(method, path, body, **{**options, "guard": lambda: None})
