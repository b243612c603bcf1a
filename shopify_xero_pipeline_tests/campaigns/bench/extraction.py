"""Extraction of many orders by pages and in bulk: calls, points, CPU time and memory of each reader.

Each reader runs in a new process against a sandbox in another one, so that its memory is its own. The sandbox has one
clock, which the waits of the reader advance.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.app import build_sandbox, serving
from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import extracting
from shopify_xero_pipeline_tests.campaigns.bench.extracting import BULK, PAGES, Extraction
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table
from shopify_xero_pipeline_tests.campaigns.bench.shop import INSTANT, OWN_ID, SYNCED_AT, build_shop, shift
from shopify_xero_pipeline_tests.support.handmade_shop import HandmadeShop

ORDERS = 10_000
DAYS = 365
"""The days over which the orders are spread."""

MOST_BULK_CALLS = 50
"""The most calls of a read of 10,000 orders in bulk; 150 refunds share a call."""

Row = tuple[str, ...]


def measure(_options: Options, step: Step) -> Outcome:
    """Measure the extraction of `ORDERS` orders."""
    results = measure_readers(ORDERS, step)
    figures = {"readers": [asdict(result) for result in results]}
    table = terminal_table(f"Extraction of {ORDERS:,} orders", HEAD, rows(results))
    return Outcome(section(results), [table], figures, goal_sentence(results), is_exceeded(results))


def measure_readers(orders: int, report: Step) -> list[Extraction]:
    """Return the costs of both readers for a number of orders.

    Args:
        orders: the number of orders.
        report: receives the name of each step before it.
    """
    report("generating orders")
    sandbox = build_sandbox(clock=ManualClock(SYNCED_AT), source=_build_shop(orders))
    with serving(sandbox) as address:
        return [_in_new_process(address, reader, report) for reader in (PAGES, BULK)]


def _in_new_process(address: str, reader: str, report: Step) -> Extraction:
    report(f"reading by {reader}")
    window = [(SYNCED_AT - timedelta(days=DAYS + 60)).isoformat(), SYNCED_AT.isoformat()]
    command = [sys.executable, "-m", extracting.__name__, address, reader, *window]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Extraction(**json.loads(output))


def _build_shop(orders: int) -> HandmadeShop:
    """Return a shop with copies of the benchmark's orders, each with ids and an instant of its own."""
    originals, shop = build_shop(), HandmadeShop()
    shop.records["customers"], shop.records["products"] = originals.records["customers"], originals.records["products"]
    texts = [json.dumps(history[-1].node) for history in originals.records["orders"].values()]
    for number in range(orders):
        shop.put("orders", _copy(texts[number % len(texts)], number), SYNCED_AT - timedelta(days=DAYS + 60))
    return shop


def _copy(text: str, number: int) -> Node:
    parts = {digits for digits in OWN_ID.findall(text)} - set(re.findall(r"gid://shopify/Customer/(\d+)", text))
    own_id = re.compile(rf"(?<!\d)({'|'.join(parts)})(?!\d)")
    shifted = INSTANT.sub(lambda match: shift(match[0], timedelta(days=-(number % DAYS) - 2)), text)
    node: Node = json.loads(own_id.sub(rf"\g<1>{number:06d}", shifted))
    return node


def is_exceeded(results: Sequence[Extraction]) -> bool:
    """Return whether the reader in bulk makes more calls than its goal, or the records differ."""
    pages, bulk = results
    return bulk.calls > MOST_BULK_CALLS or (pages.orders, pages.digest) != (bulk.orders, bulk.digest)


def rows(results: Sequence[Extraction]) -> list[Row]:
    """Return the figures as rows of a table.

    Args:
        results: by pages and in bulk.
    """
    figures: Sequence[tuple[str, Callable[[Extraction], str]]] = (
        ("calls", lambda each: f"{each.calls:,}"),
        ("points", lambda each: f"{each.points:,}"),
        ("seconds waited for Shopify", lambda each: f"{each.waited:,.0f}"),
        ("CPU for each order, ms", lambda each: f"{each.cpu / each.orders * 1_000:.2f}"),
        ("peak memory, MB", lambda each: f"{each.peak:,.0f}"),
        ("of which before the read, MB", lambda each: f"{each.base:,.0f}"),
    )
    return [(label, *map(text, results)) for label, text in figures]


def goal_sentence(results: Sequence[Extraction]) -> str:
    """Return the goal, and whether it is met."""
    verdict = "It is exceeded" if is_exceeded(results) else "It is met"
    return f"The goal is at most {MOST_BULK_CALLS} calls in bulk for the same records as by pages. {verdict}."


def section(results: Sequence[Extraction]) -> str:
    """Return the section of the page.

    Args:
        results: by pages and in bulk.
    """
    table = reliability.table(HEAD, rows(results))
    introduction = INTRODUCTION.format(orders=results[0].orders, days=DAYS, goal=goal_sentence(results))
    return "\n".join([introduction, f"{table}\n", reliability.measured()])


HEAD = ("a read of all orders", "by pages", "in bulk")
INTRODUCTION = """## Extraction of a long range

{orders:,} orders of {days} days are read from the sandbox, by pages and by a bulk operation, each in a new process. The
sandbox runs in another process. By pages all orders are in memory at the end, in bulk those of one day.

- *Points* are the actual cost of the queries; a Standard shop restores 100 a second. A bulk query costs none.
- *Seconds waited* are the waits on the sandbox's clock, for the rate limit or for the operation, without the durations
  of the calls. The duration of a bulk operation is an assumption of the sandbox: 5,000 rows a second.

{goal}
"""
