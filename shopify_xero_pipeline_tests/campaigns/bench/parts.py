"""A part of the benchmark: its name, and the figures, tables, section and exceeded goals that it returns.

Each part measures in a module of its own and has no options of others. `__main__.py` runs them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

Step = Callable[[str], None]
"""Displays what a part measures now."""


@dataclass(frozen=True)
class Outcome:
    """The result of a part.

    Attributes:
        section: the section of `docs/performance.md`, with its heading.
        tables: the tables for the terminal.
        figures: all figures, for the JSON file.
        goals: the goals as a sentence, which says whether they are met.
        exceeded: whether a count exceeds its goal; a time never decides.
    """

    section: str
    tables: Sequence[Table]
    figures: Mapping[str, object]
    goals: str
    exceeded: bool = False


@dataclass(frozen=True)
class Options:
    """The options of the command.

    Attributes:
        sizes: the numbers of earlier orders of the part `day`.
        repeat: the runs of its new day.
        callers: how many functions that read most rows it lists.
    """

    sizes: Sequence[int] = field(default_factory=lambda: [1_000, 10_000, 100_000])
    repeat: int = 1
    callers: int = 0


Part = Callable[[Options, Step], Outcome]


def terminal_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table for the terminal; the first column is text, the others are numbers.

    Args:
        title: its title.
        head: the headings.
        rows: the cells of each row.
    """
    table = Table(head[0], title=title, title_justify="left")
    for column in head[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    return table
