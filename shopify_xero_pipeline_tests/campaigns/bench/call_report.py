"""The part `calls` of the benchmark: the calls of whole workloads, their goals, and the tables.

`calls.py` measures; this module only has the goals and the text.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import calls
from shopify_xero_pipeline_tests.campaigns.bench.call_workloads import Workload
from shopify_xero_pipeline_tests.campaigns.bench.calls import CallCounts
from shopify_xero_pipeline_tests.campaigns.bench.parts import Options, Outcome, Step, terminal_table

XERO_GOALS = {calls.TEN: 7, calls.ONE_DAY: 70, calls.MONTH: 70, calls.YEAR: 75, calls.LARGE_YEAR: 235}
"""The most calls to Xero of a workload; one with changes has a goal by its bound."""

SHARE_OF_BOUND = 1.1
MAX_FORECAST_ERROR = 5.0  # percent
UNCHANGED_XERO, UNCHANGED_SHOPIFY = 0, 2
"""The most calls of a day that is synced again without a change."""

HEAD = (
    *("workload", "records", "bound", "writes", "reads", "calls to Xero", "goal"),
    *("forecast", "actual", "calls to Shopify", "official SDK"),
)
UNCHANGED_HEAD = ("the same days again", "calls to Xero", "calls to Shopify")

SECTION = """## Calls of whole workloads

Each workload has orders of as many new customers. It is synced as `shopify-xero sync --from … --to …` does, through
Dagster, and the sandbox counts the calls, those of the plan for the forecast included. The Items exist already. All but
the day of 10 new orders are the first sync of their day in Xero, which reads the accounts and all kinds once more.

- *Bound* is the least number of write calls: the sum over Contacts, Items, Invoices, Credit Notes and Payments of the
  records divided by 50 and rounded up, and one call for each Credit Note with Allocations, as Xero requires.
- *Forecast* and *actual* are the calls after the plan, by the forecast and in fact.
- *Calls to Shopify* include a token, and all orders twice: for the forecast, and for the sync.
- *Official SDK* is a loader on `xero-python` with one call a record, which reads nothing and repeats nothing.
- *The same days again* are synced an hour later in another process, without a forecast.

{goals}

{table}

{unchanged}

{measured}"""


def measure(_options: Options, step: Step) -> Outcome:
    """Count the calls of all workloads."""
    counts = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK uses deprecated functions
        for workload in calls.WORKLOADS:
            counts[workload] = calls.count_calls(workload, partial(_prefixed, workload.name, step))
    return outcome_of(counts)


def _prefixed(name: str, step: Step, text: str) -> None:
    step(f"{name}: {text}")


def outcome_of(counts: Mapping[Workload, CallCounts]) -> Outcome:
    """Return the tables, the section and the exceeded goals.

    Args:
        counts: the calls by workload.
    """
    rows, unchanged = [_row(*each) for each in counts.items()], [_unchanged_row(*each) for each in counts.items()]
    exceeded = [sentence for workload, count in counts.items() for sentence in _exceeded(workload, count)]
    goals = _goal_sentence(exceeded)
    section = SECTION.format(
        goals=goals,
        table=reliability.table(HEAD, rows),
        unchanged=reliability.table(UNCHANGED_HEAD, unchanged),
        measured=reliability.measured(),
    )
    tables = [
        terminal_table("The calls of whole workloads", HEAD, rows),
        terminal_table("The same days again, unchanged", UNCHANGED_HEAD, unchanged),
    ]
    figures = {"workloads": {workload.name: asdict(count) for workload, count in counts.items()}}
    return Outcome(section, tables, figures, goals, bool(exceeded))


def goal_of(workload: Workload, count: CallCounts) -> int:
    """Return the most calls to Xero of a workload."""
    return XERO_GOALS.get(workload, int(SHARE_OF_BOUND * count.bound))


def _exceeded(workload: Workload, count: CallCounts) -> list[str]:
    """Return the goals that a workload exceeds, in words."""
    goal = goal_of(workload, count)
    sentences = [f"{count.xero} calls to Xero for {workload.name}, goal {goal}"] if count.xero > goal else []
    if count.forecast_error > MAX_FORECAST_ERROR:
        sentences.append(f"the forecast of {workload.name} is wrong by {count.forecast_error:.1f} %")
    if count.unchanged_xero > UNCHANGED_XERO:
        sentences.append(f"{count.unchanged_xero} calls to Xero for {workload.name} again")
    if workload == calls.TEN and count.unchanged_shopify > UNCHANGED_SHOPIFY:
        sentences.append(f"{count.unchanged_shopify} calls to Shopify for {workload.name} again")
    return sentences


def _goal_sentence(exceeded: Sequence[str]) -> str:
    goals = (
        f"The goals are the calls to Xero in the table (with changes {SHARE_OF_BOUND} times the bound), a "
        f"forecast that is right within {MAX_FORECAST_ERROR:g} %, {UNCHANGED_XERO} calls to Xero for unchanged days, "
        f"and {UNCHANGED_SHOPIFY} calls to Shopify for an unchanged day"
    )
    return f"{goals}. Exceeded: {'; '.join(exceeded)}." if exceeded else f"{goals}. They are met."


def _row(workload: Workload, count: CallCounts) -> tuple[object, ...]:
    return (
        workload.name,
        *(count.records, count.bound, count.writes, count.reads, count.xero, goal_of(workload, count)),
        *(count.forecast, count.forecast_actual, count.shopify, count.sdk),
    )


def _unchanged_row(workload: Workload, count: CallCounts) -> tuple[object, ...]:
    return workload.name, count.unchanged_xero, count.unchanged_shopify
