"""The command `python -m …campaigns.webhooks`: 10,000 deliveries to a server, their figures, and an exit code.

The server runs in its own process, so that its memory and CPU time are its own. This module only contains options,
output and publishing.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.service.body_reader import Limits
from shopify_xero_pipeline.service.server import serve
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.state.webhook_hints import WebhookHint
from shopify_xero_pipeline_tests.campaigns.reliability import measured, table, write_section
from shopify_xero_pipeline_tests.campaigns.webhooks import campaign
from shopify_xero_pipeline_tests.service.sending import house, sqlite

WARM_UP, WARM_FROM = 500, 1_000_000
GROWTH = 1.25
"""The factor by which the server's memory may grow after the warm-up."""

SECTION = """## Webhooks before real sockets

Both senders deliver over {clients} connections at once to `shopify-xero serve` with an SQLite store on a disk, in
random order: a repeated delivery may arrive before the one it repeats. Then the stored hints are compared with the
deliveries. Times were measured on this machine beside other work, from the first byte sent to the response, without
bodies of 10 MB.

{figures}

{measured}

{kinds}"""


@click.command(help="Send deliveries of every kind; exit code 0 only if none was lost, forged or stored twice.")
@click.option("--count", default=10_000, show_default=True, type=click.IntRange(min=100))
@click.option("--seed", default=1, show_default=True, help="Of what is sent, and in which order.")
@click.option("--clients", default=campaign.CLIENTS, show_default=True, type=click.IntRange(1, 64), help="At once.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there.")
@click.option("--publish", is_flag=True, help="Write the section of docs/reliability.md.")
@click.option("--serve", "folder", type=click.Path(path_type=Path), hidden=True, help="Be the server.")
def main(count: int, seed: int, clients: int, file: Path | None, publish: bool, folder: Path | None) -> None:
    """Send, compare and print; the exit code is 0 only without problems."""
    if folder is not None:
        _serve(folder)
        return
    now = SystemClock().now()
    warm, sent = campaign.deliveries(WARM_UP, now, seed, WARM_FROM), campaign.deliveries(count, now, seed)
    with tempfile.TemporaryDirectory() as name:
        with _server(Path(name)) as (address, process):
            asyncio.run(campaign.send_all(address, warm, clients))
            before = _memory(process)
            outcome = asyncio.run(campaign.send_all(address, sent, clients))
            after = _memory(process)
        hints = _stored_hints(Path(name))
    problems = campaign.judge(outcome, [*warm, *sent], hints)
    if after > GROWTH * before:
        problems.append(f"the server's memory grew from {before:.0f} to {after:.0f} MB")
    figures = _figures(outcome, len(sent), len(hints), before, after, problems)
    for label, figure in figures.items():
        click.echo(f"{label:<60} {figure}")
    for problem in problems[:20]:
        click.echo(f"problem: {problem}", err=True)
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if publish and not problems:
        write_section("webhooks", _section(figures, outcome, clients))
    sys.exit(1 if problems else 0)


def _serve(folder: Path) -> None:
    limits = Limits()
    with house(sqlite(folder), SystemClock(), limits) as service:
        serve(service.app, "127.0.0.1", 0, limits, lambda address: print(address, flush=True))


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "shopify_xero_pipeline_tests.campaigns.webhooks", "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()
            assert process.wait(60) == 0


def _memory(process: int) -> float:
    """Return the resident memory of a process in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _stored_hints(folder: Path) -> list[WebhookHint]:
    hints = []
    with closing(StateStore(sqlite(folder), SystemClock())) as store:
        while batch := store.hints.open():
            store.hints.mark_processed(batch)
            hints += batch
    return hints


def _figures(
    outcome: campaign.Outcome, sent: int, hints: int, before: float, after: float, problems: list[str]
) -> dict[str, object]:
    def count(word: str) -> int:
        return sum(problem.startswith(word) for problem in problems)

    forged = sum(count for (kind, status), count in outcome.wrong().items() if kind == "forged" and status == 200)
    return {
        "deliveries": sent,
        "hints kept, with those of the warm-up": hints,
        "asked to come again (503)": outcome.later,
        "accepted and lost": count("lost"),
        "kept and never sent": count("never sent"),
        "kept more than once": count("kept"),
        "forged and accepted": forged,
        "answers of a kind that should not be": sum(outcome.wrong().values()),
        "p50, ms": f"{outcome.quantile(0.5):.1f}",
        "p95, ms": f"{outcome.quantile(0.95):.1f}",
        "p99, ms": f"{outcome.quantile(0.99):.1f}",
        "longest, ms": f"{outcome.quantile(1):.1f}",
        "memory of the server when warm, MB": f"{before:.1f}",
        "memory of the server at the end, MB": f"{after:.1f}",
    }


def _section(figures: dict[str, object], outcome: campaign.Outcome, clients: int) -> str:
    answers = sorted(outcome.statuses.items())
    kinds = [(kind, str(status) if status else "connection ended", number) for (kind, status), number in answers]
    return SECTION.format(
        clients=clients,
        figures=table(["", "figure"], figures.items()),
        measured=measured(),
        kinds=table(["delivery", "answer", "times"], kinds),
    )


if __name__ == "__main__":
    main()
