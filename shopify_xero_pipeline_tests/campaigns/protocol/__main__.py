"""`python -m …campaigns.protocol`: the simulator as a command; its exit code tells the truth.

Only running, showing and writing down belongs here. A failing run is told by the one command that plays it again.
"""

import gc
import json
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from shopify_xero_pipeline_tests.campaigns.protocol import keeping, pages
from shopify_xero_pipeline_tests.campaigns.protocol.campaign import Tally, whole_seed
from shopify_xero_pipeline_tests.campaigns.protocol.planted import BUGS, STEP_BY_STEP, Hunt, hunt
from shopify_xero_pipeline_tests.campaigns.protocol.play import Spec, play, template
from shopify_xero_pipeline_tests.campaigns.protocol.races import RACES, raced

T = TypeVar("T")


@click.command(help="Play the write protocol under every fault; exit code 0 only if every run ends as it should.")
@click.option("--seeds", type=click.IntRange(min=1), help="How many seeds, every crash point of each. [default: 20]")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="The first seed.")
@click.option("--minutes", type=float, help="Begin no new seed after so many minutes.")
@click.option("--workers", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1))
@click.option("--stride", default=1, show_default=True, type=click.IntRange(min=1), help="Only every n-th crash point.")
@click.option("--crash", help="Play one run of the seed: the points at which processes die, such as 17 or 17,5.")
@click.option("--loaders", default=1, type=click.IntRange(1, 8), help="Play one run of the seed with several loaders.")
@click.option("--bugs", is_flag=True, help="Hunt the planted bugs instead; each has to be caught.")
@click.option("--publish", is_flag=True, help="Write it into docs/reliability.md, if all is as it should be.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the campaign in this file, and go on with it.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there ('-': standard output).")
def main(
    seeds: int | None,
    seed: int,
    minutes: float | None,
    workers: int,
    stride: int,
    crash: str | None,
    loaders: int,
    bugs: bool,
    publish: bool,
    keep: Path | None,
    file: Path | None,
) -> None:
    """Run, show, and tell the truth by the exit code."""
    logging.getLogger("shopify_xero_pipeline").setLevel(logging.CRITICAL)
    console = Console(stderr=True)
    template()
    if crash or loaders > 1:
        sys.exit(replay(console, Spec(seed, tuple(map(int, crash.split(","))) if crash else (), loaders)))
    until = time.monotonic() + minutes * 60 if minutes else None
    if bugs:
        sys.exit(hunt_all(console, seeds or 40, workers, publish=publish))
    first_to_last = range(seed, seed + (seeds or (1_000_000 if minutes else 20)))
    try:
        tally, seconds = keeping.kept(keep, stride) if keep else (Tally(), 0.0)
    except keeping.OtherCodeError as refusal:
        raise click.ClickException(str(refusal)) from None
    seconds = campaign(console, first_to_last, Campaign(tally, stride, workers, until, seconds, keep))
    show(console, tally, seconds)
    if publish and tally.runs and not tally.failed:
        pages.write_simulator(tally, stride, seconds)
    if file is not None:
        write(file, tally.as_json() | {"first_seed": seed, "stride": stride, "seconds": round(seconds, 1)})
    missing = len({*first_to_last} - tally.done) if seeds and not minutes else 0
    if missing:
        console.print(f"stopped; {missing:,} seeds were not looked at", style="red")
    sys.exit(1 if tally.failed or missing or not tally.runs else 0)


def replay(console: Console, spec: Spec) -> int:
    """Play one run and say what was wrong with it."""
    outcome = play(spec)
    for name, times in sorted(outcome.tally.items()):
        console.print(f"{times:6,}  {name}", markup=False)
    for problem in outcome.problems:
        console.print(problem, markup=False, style="red")
    console.print(f"{len(outcome.problems)} problems", style="red" if outcome.problems else "green")
    return 1 if outcome.problems else 0


@dataclass(frozen=True)
class Campaign:
    """A campaign as it stands: what was counted in how many seconds, how it is played, and where it is kept."""

    tally: Tally
    stride: int
    workers: int
    until: float | None
    seconds: float
    keep: Path | None


def campaign(console: Console, seeds: range, own: Campaign) -> float:
    """Play everything of those seeds that are not done; return how many seconds the whole campaign took."""
    began, tally = time.monotonic() - own.seconds, own.tally
    left = [seed for seed in seeds if seed not in tally.done]
    act = partial(_seed, stride=own.stride, until=own.until)
    with _parts(act, left, max(1, min(own.workers, len(left)))) as parts, _bar(console) as bar:
        task = bar.add_task("seeds", total=len(left) + tally.seeds if own.until is None else None)
        with suppress(KeyboardInterrupt):
            for part in parts:
                if part is None:
                    break
                tally.join(part)
                if own.keep:
                    keeping.keep(own.keep, tally, own.stride, time.monotonic() - began)
                told = f"{tally.runs:,} runs, {len(tally.failed)} failed"
                bar.update(task, completed=tally.seeds, description=f"seeds; {told}")
    return time.monotonic() - began


def hunt_all(console: Console, seeds: int, workers: int, *, publish: bool) -> int:
    """Hunt each planted bug; tell whether all were caught."""
    hunts: list[Hunt] = []
    with _parts(partial(_bug, seeds=seeds), range(len(BUGS)), workers) as parts, _bar(console) as bar:
        task = bar.add_task("planted bugs", total=len(BUGS))
        for found in parts:
            hunts.append(found)
            bar.update(task, completed=len(hunts))
    names = [bug.name for bug in BUGS]
    hunts.sort(key=lambda one: names.index(one.bug))
    grid = Table("planted bug", "met", "seeds", "runs", "caught", "duplicates", "bad states")
    for one in hunts:
        grid.add_row(one.bug, one.met, *map(str, (one.seeds, one.runs, one.caught, one.duplicates, one.states)))
    console.print(grid)
    missed = [one.bug for one in hunts if not one.caught]
    if publish and not missed:
        pages.write_bugs(hunts)
    console.print(f"not caught: {', '.join(missed)}" if missed else "all caught", style="red" if missed else "green")
    return 1 if missed else 0


def show(console: Console, tally: Tally, seconds: float) -> None:
    """Print what a campaign found."""
    for title, rows in pages.tables(tally):
        grid = Table("", "times", title=title, title_justify="left")
        for name, times in rows:
            grid.add_row(name, f"{times:,}")
        console.print(grid)
    for command, problems in tally.failed[:50]:
        told = "\n  ".join(problems[:5])
        console.print(f"{command}\n  {told}", markup=False, style="red")
    rate = f"{tally.runs / tally.cpu:.1f} runs a second of one core" if tally.cpu else ""
    console.print(f"{tally.seeds:,} seeds, {tally.runs:,} runs in {seconds:,.0f} s; {rate}")
    console.print(f"{len(tally.failed)} runs failed", style="red" if tally.failed else "green")


def write(file: Path, found: dict[str, object]) -> None:
    """Write figures as JSON."""
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


def _seed(seed: int, *, stride: int, until: float | None) -> Tally | None:
    gc.collect()
    gc.freeze()
    return None if until is not None and time.monotonic() > until else whole_seed(seed, stride)


def _bug(number: int, *, seeds: int) -> Hunt:
    bug = BUGS[number]
    if bug.by_chance:
        return hunt(bug, range(seeds))
    found = Hunt(bug.name, STEP_BY_STEP)
    found.add(raced(bug, RACES[bug.name]))
    return found


@contextmanager
def _parts(act: Callable[[int], T], numbers: Sequence[int], workers: int) -> Iterator[Iterator[T]]:
    """Give results as they are done; a single worker is this process."""
    if workers == 1:
        yield map(act, numbers)
        return
    with multiprocessing.get_context("fork").Pool(workers, initializer=_quiet) as pool:
        yield pool.imap_unordered(act, numbers)


def _quiet() -> None:
    """Leave Ctrl-C to the parent; garbage is collected between seeds, not in the copies, which end soon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)


if __name__ == "__main__":
    main()
