"""The CPU time of an order from the JSON of its node to the JSON that Xero gets, relative to `json.loads` of the node.

The nodes are those of a generated shop, as the sandbox sends them. This module measures the steps of one order in one
process, without a store, a request or Dagster; `throughput.py` measures a whole sync.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import process_time
from types import FrameType
from typing import Any, TypeVar

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.compare import plan_record
from shopify_xero_pipeline.changes.desired_state import desired_contacts, desired_order_books
from shopify_xero_pipeline.changes.order_books_cache import OrderBooksCache
from shopify_xero_pipeline.loading.batch_requests import serialize_payload
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.transport import ASGIApp, Message, Receive, Scope, Send
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.shopify.parsing import parse_order
from shopify_xero_pipeline.state.canonical import canonical_json, checksum
from shopify_xero_pipeline.xero.models import AnyRecord, Kind, Organisation
from shopify_xero_pipeline.xero.serialization import to_xero
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.support.scratch import in_memory
from shopify_xero_pipeline_tests.support.stage import at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

DAYS = 100
REPETITIONS = 5
ORDERS_IN_HAND = 50
"""Orders that pass one step together, as those of a day do."""

MAX_CALLS, MAX_RATIO = 950, 10
"""The goals. The calls of functions of Python are counted in version 3.11; later versions call fewer."""

LOADS = "json.loads"
PAYLOAD = ("decode with exact decimals", "parse", "Contact", "books", "journalled payload", "request element")
PLAN = "plan line"

SECTION = """## An order, from Shopify's JSON to Xero's

The CPU time of {orders:,} orders of a generated shop, {bytes:,} bytes of JSON and {records} records each on average,
relative to `json.loads` of the same text in the same process: medians of {repetitions} passes. The payload of a record
is what the journal stores, with its checksum, and the element that the request contains. A *call* is one of a function
of Python. The step from the payload to the plan's line with its fields is not part of the sum.

{goals}

{table}

{measured}"""

T = TypeVar("T")


@dataclass(frozen=True)
class Shop:
    """The nodes of orders as Shopify sends them, and the settings with which they are booked."""

    texts: Sequence[str]
    policy: BooksPolicy
    organisation: Organisation


@dataclass(frozen=True)
class OrderCost:
    """The cost of an order.

    Attributes:
        ratios: CPU time of each step, divided by that of `json.loads`.
        loads_seconds: CPU seconds of `json.loads` of one order.
        calls: calls of functions of Python by step.
        records: records of one order.
    """

    ratios: Mapping[str, float]
    loads_seconds: float
    calls: Mapping[str, float]
    records: float

    @property
    def ratio(self) -> float:
        """The CPU time from the node to the payloads, divided by that of `json.loads`."""
        return sum(self.ratios[name] for name in PAYLOAD)

    @property
    def payload_calls(self) -> float:
        """The calls from the node to the payloads of one order."""
        return sum(self.calls[name] for name in PAYLOAD)


def measure(_options: Options, step: Step) -> Outcome:
    """Measure the steps of an order."""
    step("generating orders")
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        shop = read_shop(Path(folder), DAYS)
    step(f"{len(shop.texts):,} orders")
    cost = measure_orders(shop, REPETITIONS)
    head = ("step", "CPU ÷ json.loads", "calls for each order")
    rows = [(name, f"{cost.ratios[name]:.2f}", round(cost.calls[name])) for name in (*PAYLOAD, PLAN)]
    rows.insert(len(PAYLOAD), ("node to payload", f"{cost.ratio:.2f}", round(cost.payload_calls)))
    goals = goal_sentence(cost)
    section = SECTION.format(
        orders=len(shop.texts),
        bytes=round(sum(map(len, shop.texts)) / len(shop.texts)),
        records=f"{cost.records:.1f}",
        repetitions=REPETITIONS,
        goals=goals,
        table=reliability.table(head, rows),
        measured=reliability.measured(),
    )
    tables = [terminal_table("An order, from Shopify's JSON to Xero's", head, rows)]
    return Outcome(section, tables, vars(cost) | {"ratio": cost.ratio}, goals, cost.payload_calls > MAX_CALLS)


def goal_sentence(cost: OrderCost) -> str:
    """Return the goals, and whether they are met; only the calls decide about the exit code."""
    calls = f"{cost.payload_calls:,.0f} calls for each order, at most {MAX_CALLS:,}"
    ratio = f"{cost.ratio:.1f} times json.loads, at most {MAX_RATIO}"
    met = {True: "met", False: "not met"}
    return (
        f"The goals: {calls} ({met[cost.payload_calls <= MAX_CALLS]}); {ratio} ({met[cost.ratio <= MAX_RATIO]};"
        " a time never decides)."
    )


def read_shop(folder: Path, days: int) -> Shop:
    """Read the orders of a generated shop as Shopify sends them.

    Args:
        folder: an empty folder for a state store.
        days: the number of days to read.
    """
    last = FIRST + timedelta(days=days - 1)
    with staged(folder, at(last, 23), GeneratedShop(1)) as stage:
        recorder = _Recorder(stage.sandbox.asgi)
        stage.sandbox.asgi = recorder
        connections = stage.restart().connections
        zone = connections.policy.zone
        for day in days_between(FIRST, last):
            start = datetime(day.year, day.month, day.day, tzinfo=zone)
            connections.reader.orders(start, start + timedelta(days=1))
        return Shop(list(recorder.orders()), connections.policy, connections.organisation())


def measure_orders(shop: Shop, repetitions: int) -> OrderCost:
    """Measure the steps of a shop's orders.

    Args:
        shop: the orders.
        repetitions: the number of passes over all orders.
    """
    passes = [_measure_pass(shop) for _ in range(repetitions)]
    calls = _Calls()
    records = sum(len(_run(chunk, shop, calls.count)) for chunk in _chunks(shop.texts))
    orders = len(shop.texts)
    names = (*PAYLOAD, PLAN)
    ratios = {name: median(seconds[name] / seconds[LOADS] for seconds in passes) for name in names}
    loads_seconds = median(seconds[LOADS] for seconds in passes) / orders
    return OrderCost(ratios, loads_seconds, {name: calls.of[name] / orders for name in names}, records / orders)


class _Recorder:
    """Records the answers of the sandbox's Shopify."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._bodies = app, list[bytes]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def record(message: Message) -> None:
            self._bodies.append(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, record)

    def orders(self) -> Iterator[str]:
        """Yield the JSON of each order that one page contains completely."""
        for body in self._bodies:
            answer = json.loads(body) if b'"lineItems"' in body else {}
            for node in (answer.get("data") or {}).get("orders", {}).get("nodes", ()):
                text = json.dumps(node, separators=(",", ":"), ensure_ascii=False)
                if '"hasNextPage":true' not in text:
                    yield text


class _Calls:
    """Counts the calls of functions of Python by step."""

    def __init__(self) -> None:
        self.of = Counter[str]()

    def count(self, name: str, function: Callable[[], T]) -> T:
        """Run a step and count its calls."""
        self._name = name
        sys.setprofile(self._add)
        try:
            return function()
        finally:
            sys.setprofile(None)

    def _add(self, _frame: FrameType, happening: str, _argument: object) -> None:
        self.of[self._name] += happening == "call"


class _Ids:
    """Xero ids, without a mapping."""

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return a Xero id; the same one for all records."""
        return "00000000-0000-4000-8000-000000000001"


def _measure_pass(shop: Shop) -> Mapping[str, float]:
    """Return the CPU seconds of each step and of `json.loads`, chunk by chunk in turn."""
    seconds = Counter[str]()

    def timed(name: str, function: Callable[[], T]) -> T:
        started = process_time()
        result = function()
        seconds[name] += process_time() - started  # type: ignore[assignment]
        return result

    for texts in _chunks(shop.texts):
        timed(LOADS, lambda texts=texts: [json.loads(text) for text in texts])  # type: ignore[misc]
        _run(texts, shop, timed)
    return seconds


def _run(texts: Sequence[str], shop: Shop, step: Callable[[str, Callable[[], Any]], Any]) -> list[AnyRecord]:
    """Carry orders through all steps, and return their records."""
    nodes = step(PAYLOAD[0], lambda: [json.loads(text, parse_float=Decimal) for text in texts])
    orders: dict[date, list[Order]] = {FIRST: step(PAYLOAD[1], lambda: [parse_order(node) for node in nodes])}
    contacts = step(PAYLOAD[2], lambda: desired_contacts({}, orders, shop.policy))[FIRST]
    cache = OrderBooksCache(shop.policy, "sandbox")
    books: list[OrderBooks] = step(
        PAYLOAD[3],
        lambda: desired_order_books(orders, shop.policy, shop.organisation, {}, lambda _numbers: [], "sandbox", cache)[
            FIRST
        ],
    )
    records: list[AnyRecord] = [
        *contacts,
        *(record for each in books for record in (*each.documents, *each.payments, *each.allocations)),
    ]
    step(PAYLOAD[4], lambda: [(serialize_payload(record), checksum(record.content())) for record in records])
    step(PAYLOAD[5], lambda: [canonical_json(to_xero(record, _Ids())).encode() for record in records])
    step(PLAN, lambda: [plan_record(record, None, None) for record in records])
    return records


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + ORDERS_IN_HAND] for start in range(0, len(texts), ORDERS_IN_HAND))
