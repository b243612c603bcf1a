"""The campaign's command: rounds on one kind of store or both, progress, figures and an exit code.

This module only contains options, output and publishing.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shopify_xero_pipeline_tests.campaigns.processes.campaign import Outcome, Task, forks, run, tasks
from shopify_xero_pipeline_tests.campaigns.processes.killer import Crew
from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section
from shopify_xero_pipeline_tests.support import postgres

STORES = {"sqlite": "SQLite", "postgres": "Postgres"}
CONTROL_PAUSES, CONTROLS = 5, 6
"""The control ends with the first round that creates a duplicate: few pauses fall just before the first byte."""

SCALE = 100.0
KILLS = {
    "sending": "after SENT, before or while the request travelled",
    "answered": "after an answer, before the load went on",
    "elsewhere": "at any other moment",
}


@click.command(help="Kill and stop processes that load from one store; exit code 0 only if the books are right.")
@click.option("--store", "stores", multiple=True, type=click.Choice(list(STORES)), help="Default: both.")
@click.option("--kills", default=300, show_default=True, type=click.IntRange(min=0), help="SIGKILLs on each store.")
@click.option("--pauses", default=30, show_default=True, type=click.IntRange(min=0), help="SIGSTOPs longer than Q.")
@click.option("--workers", default=4, show_default=True, type=click.IntRange(1, 8), help="At most, at once.")
@click.option("--rounds", default=4, show_default=True, type=click.IntRange(1, 8), help="The last one has all workers.")
@click.option("--seed", default=0, show_default=True, help="Of faults and moments; processes are never quite the same.")
@click.option("--scale", default=SCALE, show_default=True, help="How many times as fast as the machine the clock runs.")
@click.option("--without-guard", is_flag=True, help="The negative control only: it must create duplicates.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there ('-': standard output).")
@click.option("--publish", is_flag=True, help="Write the section of docs/reliability.md; runs the control as well.")
def main(
    stores: tuple[str, ...],
    kills: int,
    pauses: int,
    workers: int,
    rounds: int,
    seed: int,
    scale: float,
    without_guard: bool,
    file: Path | None,
    publish: bool,
) -> None:
    """Run the rounds and print them; the exit code is 0 only if the books are right."""
    sizes = range(max(1, workers - rounds + 1), workers + 1)
    planned = [] if without_guard else list(tasks(kills, pauses, sizes, seed, scale))
    if without_guard or publish:
        planned += [Task(2, 0, CONTROL_PAUSES, seed + again, scale, guarded=False) for again in range(CONTROLS)]
    console = Console(stderr=True)
    outcomes = {store: _on(store, planned, console) for store in stores or tuple(STORES)}
    if file is not None:
        _write(file, outcomes)
    good = all(_as_they_should_be(rounds) for rounds in outcomes.values())
    if publish and good:
        write_section("processes", _section(outcomes, scale))
    console.print("as it should be" if good else "NOT as it should be", style="green" if good else "red")
    sys.exit(0 if good else 1)


def _on(store: str, rounds: Sequence[Task], console: Console) -> list[Outcome]:
    """Run the rounds on one kind of store and print each.

    Args:
        store: a key of `STORES`.
        rounds: the rounds, each on an empty store.
        console: the console for progress and results.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    outcomes: list[Outcome] = []
    context = forks()
    with _new_stores(store) as urls, Progress(*columns, console=console) as bar:
        progress = bar.add_task(store, total=sum(task.kills + task.pauses for task in rounds))
        for task, url in zip(rounds, urls, strict=False):
            if not task.guarded and any(outcome.verdict.duplicates for outcome in outcomes):
                break
            done = sum(_done(outcome.tally) for outcome in outcomes)
            outcomes.append(run(task, url, context, lambda crew, done=done: _update(bar, progress, crew, done)))  # type: ignore[misc]
            console.print(f"{STORES[store]}: {_line(outcomes[-1])}", markup=False)
            for problem in _problems(outcomes[-1])[:20]:
                console.print(f"  {problem}", markup=False, style="red")
    return outcomes


@contextmanager
def _new_stores(store: str) -> Iterator[Iterator[str]]:
    """Yield URLs of empty stores, as many as are used."""
    if store == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield (f"sqlite:///{folder}/{number}/state.db" for number in count(1))
        return
    binaries = postgres.programs()
    if binaries is None:
        raise click.ClickException("Postgres is not installed: there is no initdb on the path or below /usr/lib.")
    with postgres.running(binaries) as database:
        yield (database.new_schema() for _ in count())


def _update(bar: Progress, progress: TaskID, crew: Crew, before: int) -> None:
    bar.update(progress, completed=before + _done(crew.tally))


def _done(tally: Counter[str]) -> int:
    return tally["kills"] + tally["pauses"]


def _as_they_should_be(outcomes: Sequence[Outcome]) -> bool:
    """Return whether each round wrote exactly once; the control must not, and must have no other problem."""
    controls = [outcome for outcome in outcomes if not outcome.task.guarded]
    has_duplicates = not controls or any(outcome.verdict.duplicates for outcome in controls)
    return has_duplicates and not any(_problems(outcome) for outcome in outcomes)


def _problems(outcome: Outcome) -> list[str]:
    verdict, task = outcome.verdict, outcome.task
    problems = [f"lost: {' '.join(row)}" for row in verdict.lost]
    if task.guarded:
        problems += [f"duplicate: {' '.join(row)}" for row in verdict.duplicates] + verdict.wrong
    if outcome.tally["ended by themselves"]:
        problems.append(f"{outcome.tally['ended by themselves']} workers ended by themselves")
    if outcome.server["most_in_flight"] > 5:  # Xero's limit of concurrent calls
        problems.append(f"{outcome.server['most_in_flight']} calls were in flight at once")
    return problems


def _line(outcome: Outcome) -> str:
    task, verdict, tally = outcome.task, outcome.verdict, outcome.tally
    books = "right" if verdict.good else f"{len(verdict.duplicates)} duplicates, {len(verdict.lost)} lost"
    course = f"{task.workers} workers, {tally['kills']} kills, {tally['pauses']} pauses, {outcome.seconds:.0f} s"
    return f"{course}{'' if task.guarded else ', no guard'}: {tally['records']} records, books {books}"


def _write(file: Path, outcomes: dict[str, list[Outcome]]) -> None:
    figures = {store: [_as_json(outcome) for outcome in rounds] for store, rounds in outcomes.items()}
    text = json.dumps(figures, indent=2) + "\n"
    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "task": asdict(outcome.task),
        "seconds": round(outcome.seconds, 1),
        "figures": dict(sorted(outcome.tally.items())),
        "xero": outcome.server,
        "duplicates": outcome.verdict.duplicates,
        "lost": outcome.verdict.lost,
        "wrong": outcome.verdict.wrong,
    }


def _section(outcomes: dict[str, list[Outcome]], scale: float) -> str:
    """Return the section of the page, with a column for each kind of store."""
    guarded = {store: [outcome for outcome in rounds if outcome.task.guarded] for store, rounds in outcomes.items()}
    controls = {
        store: [outcome for outcome in rounds if not outcome.task.guarded] for store, rounds in outcomes.items()
    }
    rows = list(_figures(list(guarded.values()), list(controls.values())))
    most = max(outcome.task.workers for rounds in guarded.values() for outcome in rounds)
    return f"""## Real processes

Up to {most} processes at once load the same days from one state store into the sandbox's Xero over a real socket. The
campaign kills them with SIGKILL, and stops them with SIGSTOP for longer than Q and continues them: at any moment, just
before a write leaves, or after its response arrived. Each is replaced at once. Xero loses responses, answers 500 after
it posted, 503 and HTML, and is slow. The product's clock runs {scale:g} times as fast as the machine's: Q lasts
{600 / scale:g} s, T {30 / scale:g} s; the constants are unchanged. At the end the campaign compares the books record by
record: kind, natural key, amount, currency, account, and each id of the mapping.

{table(["", *(STORES[store] for store in outcomes)], rows)}

{measured()}
"""


def _figures(guarded: Sequence[Sequence[Outcome]], controls: Sequence[Sequence[Outcome]]) -> Iterator[list[object]]:
    def each(name: str) -> list[object]:
        return _sums(guarded, name)

    def seen(name: str) -> list[object]:
        return [sum(outcome.server[name] for outcome in rounds) for rounds in guarded]

    yield ["SIGKILL", *each("kills")]
    for phase, words in KILLS.items():
        yield [f"of which {words}", *each(f"kills while {phase}")]
    yield ["SIGSTOP longer than Q", *each("pauses")]
    yield ["of which with a batch SENT and no byte of it at Xero", *each("pauses between SENT and the first byte")]
    yield ["loads finished", *each("loads")]
    yield ["calls to Xero", *seen("calls")]
    yield [
        "of which met by a fault",
        *(sum(sum(outcome.server["faults"].values()) for outcome in rounds) for rounds in guarded),
    ]
    yield ["of which answered from the memory of the Idempotency-Key", *seen("replayed")]
    yield ["of which refused because of a limit", *seen("refused_429")]
    yield ["runs put off, as a stopped process held the store", *each("put_off")]
    yield ["records wanted", *each("records")]
    yield ["**duplicates**", *(sum(len(outcome.verdict.duplicates) for outcome in rounds) for rounds in guarded)]
    yield ["**lost**", *(sum(len(outcome.verdict.lost) for outcome in rounds) for rounds in guarded)]
    yield ["control: pauses without the deadline guard", *_sums(controls, "pauses between SENT and the first byte")]
    yield ["control: duplicates", *(sum(len(outcome.verdict.duplicates) for outcome in rounds) for rounds in controls)]


def _sums(outcomes: Iterable[Sequence[Outcome]], name: str) -> list[object]:
    return [sum(outcome.tally[name] for outcome in rounds) for rounds in outcomes]
