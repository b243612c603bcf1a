"""Progress of a run: the share that is done, and the current days, kind and number of records.

Progress is counted from events (`observability/events.py`), not estimated. A run over a range of days consists of
steps; within a load, its records count.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from shopify_xero_pipeline.cli import output
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.observability.escaping import escape_console
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.xero.models import kind_label

VERBS = {"read": "reading", "plan": "planning", "sync": "writing", "reconciliation": "comparing"}


class RunProgress:
    """The progress of a run.

    Args:
        days: number of days that the run covers.
        steps: number of steps for each range of days; 0 if unknown, so that only whole ranges count.

    Attributes:
        now: the current step, in words; empty before the first one.
    """

    def __init__(self, days: int, steps: int = 0) -> None:
        self.now = ""
        self._days, self._steps = days, steps
        self._done, self._range, self._ended = 0, 0, 0
        self._step = ""
        self._records, self._settled, self._calls = 0, 0, 0

    @property
    def completed_share(self) -> float:
        """The share that is done, from 0 to 1, by ranges of days, steps of a range, and records of a load."""
        step = min(self._settled / self._records, 1.0) if self._records else 0.0
        inside = min((self._ended + step) / self._steps, 1.0) * self._range if self._steps else 0.0
        return min((self._done + inside) / self._days, 1.0) if self._days else 1.0

    def end_range(self, first: date, last: date) -> None:
        """Count a range of days as done.

        Args:
            first: its first day.
            last: its last day.
        """
        self._done += (last - first).days + 1
        self._range, self._ended = 0, 0

    def watch(self, event: str, fields: Mapping[str, object]) -> None:
        """Count an event; a `Watcher` of `observability/events.py`.

        Args:
            event: its name.
            fields: its fields.
        """
        name, _, phase = event.rpartition("_")
        if name in VERBS:
            self._begin(VERBS[name], fields) if phase == "began" else self._end()
        elif event == "load_planned":
            self._records = int(str(fields["records"]))
        elif event == "batch_settled":
            self._settled += int(str(fields["settled"]))
        elif event == "api_call":
            self._calls += 1
        self.now = f"{self._step}{self._count()}" if self._step else ""

    def _begin(self, verb: str, fields: Mapping[str, object]) -> None:
        span = str(fields["partition"])
        kinds = [f"{kind_label(kind)}s" for kind in str(fields["entity_type"]).split(" and ")]
        self._step = f"{span}: {verb} {' and '.join(kinds)}"
        self._range = _count_days(span)
        self._records, self._settled, self._calls = 0, 0, 0

    def _end(self) -> None:
        """End a step; after the last one of a range Dagster records the results of its days, which takes a while."""
        self._ended += 1
        self._records, self._settled, self._calls = 0, 0, 0
        if self._ended == self._steps - 1:
            self._step = f"{self._step.partition(':')[0]}: recording the results"

    def _count(self) -> str:
        if self._records:
            return f", {self._settled:,} of {self._records:,} records"
        return f", {count_of(self._calls, 'call')}" if self._calls else ""


def _count_days(span: str) -> int:
    """Return the number of days in a range in the format of `events.format_day_range`."""
    if not span:
        return 0
    first, _, last = span.partition("..")
    return (date.fromisoformat(last or first) - date.fromisoformat(first)).days + 1


@contextmanager
def show_progress(label: str, days: int, steps: int = 0) -> Iterator[RunProgress]:
    """Show the progress of a run on a terminal; show nothing if the output is piped.

    Args:
        label: the activity, such as "syncing".
        days: the number of days that the run covers.
        steps: number of steps for each range of days (`STEPS_PER_RANGE`); 0 if unknown.

    Yields:
        The progress, which the caller updates after each range of days.
    """
    progress = RunProgress(days, steps)
    columns = (
        TextColumn(label),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with (
        _terminal_console() as screen,
        Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar,
    ):
        task = bar.add_task(label, total=1.0, now="starting")

        def watch(event: str, fields: Mapping[str, object]) -> None:
            progress.watch(event, fields)
            bar.update(task, completed=progress.completed_share, now=escape_console(progress.now))

        with events.watch_events(watch):
            yield progress


@contextmanager
def _terminal_console() -> Iterator[Console]:
    """Yield a console that stays on the terminal; Dagster redirects standard output to a file while a step runs."""
    if not output.console.is_terminal:
        yield output.console
        return
    with os.fdopen(os.dup(output.console.file.fileno()), "w", encoding=output.console.encoding) as screen:
        yield Console(file=screen, highlight=False, emoji=False)


def show_countdown(seconds_left: Iterable[float]) -> None:
    """Show a bar until a waiting time is over, for each yielded number of seconds left.

    Args:
        seconds_left: the remaining seconds, in decreasing order.
    """
    columns = (TextColumn("waiting"), BarColumn(), TextColumn("{task.fields[seconds]:.0f} s left"))
    with Progress(*columns, console=output.console, transient=True, disable=not output.console.is_terminal) as bar:
        task, longest = bar.add_task("waiting", total=1.0, seconds=0.0), 0.0
        for seconds in seconds_left:
            longest = max(longest, seconds)
            bar.update(task, completed=1 - seconds / longest, seconds=seconds)
