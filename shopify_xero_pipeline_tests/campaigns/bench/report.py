"""The figures of the benchmark as tables: for the terminal and for `docs/performance.md`.

This module only contains the figures, their names and their goal; `runs.py` measures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from shopify_xero_pipeline_tests.campaigns import reliability
from shopify_xero_pipeline_tests.campaigns.bench import actions
from shopify_xero_pipeline_tests.campaigns.bench.measuring import REPETITIONS, Cost
from shopify_xero_pipeline_tests.campaigns.bench.runs import SizeResult
from shopify_xero_pipeline_tests.campaigns.bench.shop import NEW_ORDERS

NEW_RECORDS = 3 * NEW_ORDERS
"""A Contact, an Invoice and a Payment of each new order."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A figure of an action.

    Attributes:
        action: the action.
        label: its name in a table.
        value: returns it from the cost of the action.
        decimals: its decimal places.
    """

    action: str
    label: str
    value: Callable[[Cost], float]
    decimals: int = 0

    def of(self, result: SizeResult) -> float:
        """Return the figure of a size."""
        return self.value(result.costs[self.action])

    def text(self, result: SizeResult) -> str:
        """Return the figure of a size as text."""
        return f"{self.of(result):,.{self.decimals}f}"


def _day_figures(action: str) -> Sequence[Figure]:
    return (
        Figure(action, "rows read", lambda cost: cost.rows_read),
        Figure(action, "steps, thousands", lambda cost: cost.thousand_steps),
        Figure(action, "statements", lambda cost: cost.statements),
        Figure(action, "rows written", lambda cost: cost.rows_written),
        Figure(action, "transactions", lambda cost: cost.transactions),
        Figure(action, "longest transaction, s", lambda cost: cost.longest, 3),
        Figure(action, "CPU, s", lambda cost: cost.cpu, 2),
        Figure(action, "peak memory, MB", lambda cost: cost.peak),
        Figure(action, "calls to Xero", lambda cost: cost.xero_calls),
        Figure(action, "calls to Shopify", lambda cost: cost.shopify_calls),
    )


def _read_figures(action: str, label: str, *, with_memory: bool = False) -> Sequence[Figure]:
    memory = [Figure(action, f"{label}: peak memory, MB", lambda cost: cost.peak)] if with_memory else []
    return (
        Figure(action, f"{label}: rows read", lambda cost: cost.rows_read),
        Figure(action, f"{label}: steps, thousands", lambda cost: cost.thousand_steps),
        Figure(action, f"{label}: CPU, s", lambda cost: cost.cpu, 3),
        *memory,
    )


ROWS_PER_RECORD = Figure(actions.NEW, "rows read for each new record", lambda cost: cost.rows_read / NEW_RECORDS, 1)


@dataclass(frozen=True)
class Goal:
    """The most that a figure may be, with any number of earlier orders."""

    figure: Figure
    limit: int
    words: str

    def is_exceeded(self, result: SizeResult) -> bool:
        """Return whether a size exceeds the goal."""
        return self.figure.of(result) > self.limit


GOALS = (
    Goal(ROWS_PER_RECORD, 60, "rows read for each new record"),
    Goal(Figure(actions.NEW, "calls", lambda cost: cost.xero_calls), 7, "calls to Xero for the new day"),
    Goal(Figure(actions.UNCHANGED, "calls", lambda cost: cost.xero_calls), 0, "calls to Xero for the unchanged day"),
)
ROWS_TO_GROW = 1.3
"""The most rows that a read of the books may take, as a multiple of those with the fewest earlier orders."""

GROWTH_GOALS = tuple(
    Figure(action, f"rows read by {action}", lambda cost: cost.rows_read) for action in (actions.STATUS, actions.MONTH)
)
"""Figures that may not grow with the number of earlier orders."""

SECTIONS: dict[str, Sequence[Figure]] = {
    f"A day with {NEW_ORDERS} new orders": (ROWS_PER_RECORD, *_day_figures(actions.NEW)),
    "The same day again, unchanged": _day_figures(actions.UNCHANGED),
    "The start of a process": (
        *_read_figures(actions.OPENING, "opening"),
        *_read_figures(actions.VERIFICATION, "verification", with_memory=True),
    ),
    "Other reads": (
        *_read_figures(actions.STATUS, "status", with_memory=True),
        *_read_figures(actions.MONTH, "status --month", with_memory=True),
        *_read_figures(actions.TICK, "sensor tick"),
        *_read_figures(actions.WEBHOOK, "webhook"),
    ),
}

SQLITE_ONLY = ("steps", "rows written", "transaction")
ON_POSTGRES = {
    title: tuple(figure for figure in figures if not any(word in figure.label for word in SQLITE_ONLY))
    for title, figures in SECTIONS.items()
}
"""The figures that are counted on Postgres too."""

INTRODUCTION = """## A day, by the number of earlier orders

The books hold earlier orders of three years. One day with {new_orders} new orders of as many new customers is synced,
and then the same day again. Both syncs run in the steps of Dagster's assets, without Dagster, against the sandbox. The
state store is an SQLite file, in memory if there is room.

- *Rows read* are the rows that SQLite returns to the program. *Steps* are the instructions of SQLite's virtual machine;
  they include those for rows that SQLite visits and does not return.
- *Statements* include BEGIN, and not the PRAGMAs of a new connection; a statement with many sets of parameters counts
  once. *Rows written* are inserted, changed or deleted. A *transaction* lasts from its lock to the end of its commit.
- *CPU* is without the sandbox. Times are medians of up to {repetitions} repetitions, counts are those of the first one;
  the new day and the verification are single runs. *Peak memory* is that of a new process, including the sandbox.
- The day is not the first sync of its day, which reads all kinds and the settings once more.
- The days include neither the opening of the store nor its complete verification, which follows each night and before a
  load after anything unusual.
- A *sensor tick* is one of `changed_orders` without a change. A *webhook* is one delivery of Shopify about an order,
  recorded, and the tick that processes it.

{goal}
"""


def goal_sentence(results: Sequence[SizeResult]) -> str:
    """Return the goals, and which of them are not met with how many earlier orders.

    Args:
        results: the results of all sizes, smallest first.
    """
    growing = " and ".join(figure.label for figure in GROWTH_GOALS)
    goals = f"The goals are at most {', '.join(f'{goal.limit} {goal.words}' for goal in GOALS)}"
    goals += f", and at most {ROWS_TO_GROW} times the {growing} with the fewest earlier orders"
    exceeded = [
        f"{goal.figure.text(result)} {goal.words} with {result.orders:,} earlier orders"
        for goal in GOALS
        for result in results
        if goal.is_exceeded(result)
    ]
    exceeded += [
        f"{figure.text(result)} {figure.label} with {result.orders:,} earlier orders, {figure.text(results[0])} before"
        for figure in GROWTH_GOALS
        for result in results
        if _has_grown(figure, result, results[0])
    ]
    return f"{goals}. Exceeded: {'; '.join(exceeded)}." if exceeded else f"{goals}. They are met."


def exceeding(results: Sequence[SizeResult]) -> list[SizeResult]:
    """Return the results that exceed a goal.

    Args:
        results: the results of all sizes, smallest first.
    """
    return [
        result
        for result in results
        if any(goal.is_exceeded(result) for goal in GOALS)
        or any(_has_grown(figure, result, results[0]) for figure in GROWTH_GOALS)
    ]


def _has_grown(figure: Figure, result: SizeResult, smallest: SizeResult) -> bool:
    """Return whether a figure exceeds its multiple of that of the smallest size."""
    return figure.of(result) > ROWS_TO_GROW * figure.of(smallest)


def terminal_tables(results: Sequence[SizeResult], sections: Mapping[str, Sequence[Figure]] = SECTIONS) -> list[Table]:
    """Return the tables for the terminal.

    Args:
        results: the results of all sizes, smallest first.
        sections: the figures by title.
    """
    tables = []
    for title, figures in sections.items():
        head, *columns = _head(results)
        table = Table(head, title=title, title_justify="left")
        for column in columns:
            table.add_column(column, justify="right")
        for row in _rows(figures, results):
            table.add_row(*row)
        tables.append(table)
    return tables


def caller_table(result: SizeResult, action: str, limit: int) -> Table:
    """Return the functions that read most rows or take most steps in an action.

    Args:
        result: the result of a size.
        action: the action.
        limit: the number of functions of either kind.
    """
    title = f"{action}, {result.orders:,} earlier orders"
    table = Table(title=title, title_justify="left")
    table.add_column("caller → function of the state store", overflow="fold")
    table.add_column("rows read", justify="right")
    table.add_column("steps, thousands", justify="right")
    rows, steps = result.costs[action].callers, result.costs[action].caller_steps
    for caller in dict.fromkeys([*[*rows][:limit], *[*steps][:limit]]):
        table.add_row(caller, f"{rows.get(caller, 0):,}", f"{steps.get(caller, 0):,}")
    return table


def section(results: Sequence[SizeResult]) -> str:
    """Return the section of the page.

    Args:
        results: the results of all sizes, smallest first.
    """
    introduction = INTRODUCTION.format(new_orders=NEW_ORDERS, repetitions=REPETITIONS, goal=goal_sentence(results))
    return "\n".join([introduction, *page_tables(results, SECTIONS), reliability.measured()])


def page_tables(results: Sequence[SizeResult], sections: Mapping[str, Sequence[Figure]]) -> list[str]:
    """Return the tables for the page, each with its heading.

    Args:
        results: the results of all sizes, smallest first.
        sections: the figures by title.
    """
    return [
        f"### {title}\n\n{reliability.table(_head(results), _rows(figures, results))}\n"
        for title, figures in sections.items()
    ]


def _head(results: Sequence[SizeResult]) -> Row:
    first, *others = results
    ratios = (f"{each.orders:,} : {first.orders:,}" for each in others)
    return ("earlier orders", *(f"{each.orders:,}" for each in results), *ratios)


def _rows(figures: Sequence[Figure], results: Sequence[SizeResult]) -> list[Row]:
    first, *others = results
    return [
        (figure.label, *map(figure.text, results), *(_ratio(figure.of(each), figure.of(first)) for each in others))
        for figure in figures
    ]


def _ratio(value: float, base: float) -> str:
    return f"{value / base:,.1f}" if base else "-"
