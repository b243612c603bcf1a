"""The pace of a load under Xero's limits, by the seconds that a call takes, on an injected clock.

The loader, the store and the client are the real ones, the sandbox's Xero enforces its limits on the same clock, and
the requests of the load run side by side in simulated time. So the pace is that of the protocol and of no machine.
"""

import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx

from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline.xero.rate_limiter import CALLS_PER_MINUTE, MAX_CONCURRENT_CALLS
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.campaigns.protocol.requests import Requests
from shopify_xero_pipeline_tests.campaigns.protocol.timeline import Timeline
from shopify_xero_pipeline_tests.campaigns.protocol.turns import Turns
from shopify_xero_pipeline_tests.support.records import contact, invoice, payment
from shopify_xero_pipeline_tests.support.scratch import in_memory
from shopify_xero_pipeline_tests.support.world import CREDENTIALS, FAMILIES, change_set

ORDERS = 4_000
LATENCIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
SLOWEST = 8.0
LIMIT, LIMIT_OF_SLOWEST = Decimal("1.05"), Decimal("1.70")

SECTION = """## The pace under Xero's limits

A load of {orders:,} orders of as many customers, in batches of 50, against the sandbox's Xero on an injected clock:
{calls} calls. The *ratio* is the duration of the load, divided by that of as many calls at Xero's limit of
{per_minute} a minute. At 8 s a call, five at a time are 37.5 a minute.

{goals}

{table}

{measured}"""


class Slow(httpx.BaseTransport):
    """A transport on which each call takes some seconds of simulated time, half of them before Xero has it."""

    def __init__(self, inner: httpx.BaseTransport, turns: Turns, seconds: float) -> None:
        self._inner, self._turns, self._seconds = inner, turns, seconds
        self.refused = 0
        self.most = self._in_flight = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        self._turns.rest(self._seconds / 2)
        answer = self._inner.handle_request(request)
        self._turns.rest(self._seconds / 2)
        self._in_flight -= 1
        self.refused += answer.status_code == 429
        return answer


@dataclass(frozen=True)
class Pace:
    """One load: seconds a call, calls, seconds of the load, most calls in flight, and calls refused with a 429."""

    latency: float
    calls: int
    seconds: float
    in_flight: int
    refused: int

    @property
    def ratio(self) -> Decimal:
        """The duration, divided by the calls at Xero's limit per minute."""
        ideal = Decimal(self.calls) * 60 / CALLS_PER_MINUTE
        return (Decimal(str(self.seconds)) / ideal).quantize(Decimal("0.01"))

    @property
    def is_exceeded(self) -> bool:
        """Whether the ratio exceeds its goal."""
        return self.ratio > (LIMIT_OF_SLOWEST if self.latency == SLOWEST else LIMIT)


def measure(_options: Options, step: Step) -> Outcome:
    """Measure the pace of a load at each latency."""
    paces = []
    for latency in LATENCIES:
        step(f"{latency} s a call")
        paces.append(measure_pace(latency, ORDERS))
    head = ("seconds a call", "calls", "minutes of the load", "ratio", "most calls in flight", "429")
    rows = [
        (f"{pace.latency:g}", pace.calls, f"{pace.seconds / 60:.1f}", pace.ratio, pace.in_flight, pace.refused)
        for pace in paces
    ]
    goals = _goal_sentence(paces)
    section = SECTION.format(
        orders=ORDERS,
        calls=paces[0].calls,
        per_minute=CALLS_PER_MINUTE,
        goals=goals,
        table=reliability.table(head, rows),
        measured=reliability.measured(),
    )
    figures = {"paces": [vars(pace) | {"ratio": pace.ratio} for pace in paces]}
    tables = [terminal_table("The pace under Xero's limits", head, rows)]
    return Outcome(section, tables, figures, goals, any(pace.is_exceeded for pace in paces))


def measure_pace(latency: float, orders: int) -> Pace:
    """Load orders in simulated time.

    Args:
        latency: seconds that each call takes.
        orders: number of orders, each with a Contact, an Invoice and a Payment.
    """
    timeline, folder = Timeline(), Path(tempfile.mkdtemp(dir=in_memory()))
    turns = Turns(timeline, random.Random(1))
    app = xero_app(XeroBooks(), timeline)
    line = Slow(InProcessTransport(app), turns, latency)
    clock = _Clock(timeline, turns)
    store = StateStore(f"sqlite:///{folder}/state.db", clock)
    client = XeroClient(CREDENTIALS, clock=clock, transport=line, rng=random.Random(1), calls=store.calls)
    requests = Requests(turns, MAX_CONCURRENT_CALLS, lambda: None)
    loader = Loader(client, store, clock, random.Random(1), requests)
    try:
        loader.recover()  # reads Xero's Contacts once, as any first load does
        before, began = client.calls, timeline.elapsed()
        loader.load([change_set(*family) for family in _families(orders)], "run")
        assert len(store.mapped(Kind.PAYMENT)) == orders
        return Pace(latency, client.calls - before, timeline.elapsed() - began, line.most, line.refused)
    finally:
        client.close()
        store.close()
        shutil.rmtree(folder)


class _Clock:
    """The true time; sleeping lets the other requests go on."""

    def __init__(self, timeline: Timeline, turns: Turns) -> None:
        self.now, self.elapsed, self.sleep = timeline.now, timeline.elapsed, turns.rest


def _families(orders: int) -> Sequence[Sequence[AnyRecord]]:
    records: list[AnyRecord] = []
    for number in range(1, orders + 1):
        bill = invoice(number)
        records += [contact(number), bill.model_copy(update={"contact_id": str(number)}), payment(bill)]
    families = [[record for record in records if record.kind in kinds] for kinds in FAMILIES]
    return [family for family in families if family]


def _goal_sentence(paces: Sequence[Pace]) -> str:
    goals = f"The goals are a ratio of at most {LIMIT} up to 4 s a call and {LIMIT_OF_SLOWEST} at 8 s"
    exceeded = [f"{pace.ratio} at {pace.latency:g} s a call" for pace in paces if pace.is_exceeded]
    return f"{goals}. Exceeded: {'; '.join(exceeded)}." if exceeded else f"{goals}. They are met."
