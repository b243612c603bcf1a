"""One case of damage from the first load after it to exact books, and what is counted over many.

A case is told by its seed, which picks the harm, its place and the time that passes. Nothing may be written to Xero
before the damage is told, or before safe mode has read everything back; in the end Xero holds each record once.
"""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.loading.load_report import LoadOutcome
from shopify_xero_pipeline.state.database_errors import StoreUrlError
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.quarantine import quarantine_store
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES, metadata
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.damage.harm import HARMS, SHARES
from shopify_xero_pipeline_tests.campaigns.damage.life import STORE, Files, Life, begin
from shopify_xero_pipeline_tests.support.world import Tapped, World

DELAYS = (150, 400, 700, 3_600)
"""None lies within R: the sandbox begins each case with its books, and not with the keys it has answered."""

UNKNOWABLE = ("page as it was before",)
"""A whole page of earlier bears right hashes: it need not be noticed, but the books must be exact all the same."""

SWEPT = {"Contacts", "Items", "Invoices", "CreditNotes", "Payments"}
TOLD = (StoreDamagedError, StoreTooNewError, StoreUrlError)


@dataclass
class Outcome:
    """What became of one case. `detected`: told, safe mode, or neither; `changed`: what says something else now."""

    seed: int
    harm: str
    detected: str = ""
    changed: str = ""
    problems: list[str] = field(default_factory=list)
    duplicates: int = 0
    lost: int = 0


class Watch:
    """Sees every request to Xero: what was written, and whether all kinds had been read in whole before."""

    def __init__(self, world: World) -> None:
        self.writes: list[datetime] = []
        self.early: list[str] = []
        self.read: set[str] = set()
        self._world = world
        world.transport = Tapped(world.transport, self._see)

    def _see(self, request: httpx.Request) -> None:
        kind = request.url.path.rstrip("/").split("/")[-1]
        if request.method == "GET":
            if "if-modified-since" not in request.headers:
                self.read.add(kind)
        elif "connect/token" not in request.url.path:
            self.writes.append(self._world.clock.now())
            if not self.read >= SWEPT:
                self.early.append(f"{request.method} {request.url.path}")


def harm_of(seed: int) -> str:
    """Return the harm of a case: each in turn, some more often."""
    names = [name for name in HARMS for _ in range(SHARES.get(name, 1))]
    return names[seed % len(names)]


def suffer(life: Life, seed: int, folder: Path) -> Outcome:
    """Play one case."""
    rng = random.Random(seed)
    outcome = Outcome(seed, harm_of(seed))
    files = HARMS[outcome.harm](life, rng)
    outcome.changed = _changed(life.files, files, folder.with_name(f"{folder.name}-looked-at"))
    world = begin(life, folder, files)
    watch, delay = Watch(world), rng.choice(DELAYS)
    world.wait(delay)
    outcome.detected = _first_load(world, life, watch)
    _judge_first(outcome, world, life, watch)
    _finish(world, life, outcome)
    world.store.close()
    return outcome


def _first_load(world: World, life: Life, watch: Watch) -> str:
    try:
        world.restart()
        doubted = world.store.send_watermark.find_issue() is not None
        world.load(*life.records)
    except TOLD:
        return "told"
    except Exception as problem:  # whatever else it is, nobody could say what it means
        return f"crash {type(problem).__name__}: {problem}"[:300]
    return "safe mode" if doubted else ""


def _judge_first(outcome: Outcome, world: World, life: Life, watch: Watch) -> None:
    if outcome.detected.startswith("crash"):
        outcome.problems.append(outcome.detected)
    if outcome.detected == "told" and watch.writes:
        outcome.problems.append(f"{len(watch.writes)} writes before the damage was told")
    if outcome.detected == "safe mode":
        too_early = [at for at in watch.writes if at < life.now - timedelta(seconds=1) + QUIESCENCE]
        if too_early or watch.early:
            outcome.problems.append(f"written before everything was read back: {watch.early or too_early}")
    if not outcome.detected and outcome.changed in ("sealed rows", "the witness") and outcome.harm not in UNKNOWABLE:
        outcome.problems.append(f"not noticed: {outcome.changed}")


def _finish(world: World, life: Life, outcome: Outcome) -> None:
    """Rebuild where damage was told, load until nothing is left, and compare Xero with what was wanted."""
    if outcome.detected == "told" or outcome.detected.startswith("crash"):
        quarantine_store(world.url, world.clock.now())
    for _ in range(8):
        world.restart()
        report = world.load(*life.records)
        if not report.count(LoadOutcome.POSTPONED):
            break
        world.wait(700)
    for kind in Kind:
        wanted, live = [one for one in life.records if one.kind is kind], len(world.live(kind))
        outcome.duplicates += max(0, live - len(wanted))
        outcome.lost += max(0, len(wanted) - live)
        if len(world.store.mapped(kind)) != len(wanted):
            outcome.problems.append(f"{len(world.store.mapped(kind))} of {len(wanted)} {kind} mapped")
    if outcome.duplicates or outcome.lost or report.count(LoadOutcome.FAILED):
        failed = [one.reason for one in report.results if one.outcome is LoadOutcome.FAILED]
        outcome.problems.append(f"{outcome.duplicates} duplicates, {outcome.lost} lost, failed: {failed}")


def _changed(before: Files, after: Files, folder: Path) -> str:
    """Say what of the store says something else now: rows with a hash, others, or nothing."""
    if after.get(STORE) == before[STORE]:
        return "nothing" if after == before else "the witness"
    folder.mkdir(parents=True)
    sealed = {table.name for table in CHECKSUMMED_TABLES}
    was, now = _content(before, folder / "was"), _content(after, folder / "now")
    different = {name for name in metadata.tables if was.get(name) != now.get(name)}
    if different & sealed:
        return "sealed rows"
    return f"other rows: {', '.join(sorted(different))}" if different else "nothing"


def _content(files: Files, path: Path) -> dict[str, object]:
    if STORE not in files:
        return {}
    path.write_bytes(files[STORE])
    found: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        for name in metadata.tables:
            try:
                found[name] = sorted(map(repr, connection.execute(f"SELECT * FROM {name} NOT INDEXED")))
            except sqlite3.Error as problem:
                found[name] = f"{type(problem).__name__}"
    return found


def table_of(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, int, int, int, int, int, int, int, int]]:
    """Yield a row for each harm: how many cases; told; in safe mode; not noticed, as nothing or no sealed row changed;
    not noticed although one did; duplicates and lost records in the end.
    """
    for name in HARMS:
        mine = [one for one in outcomes if one.harm == name]
        by = Counter(one.detected.partition(" ")[0] or one.changed.partition(" ")[0] for one in mine)
        shown = (by["told"], by["safe"], by["nothing"], by["other"], by["sealed"] + by["the"] + by["crash"])
        if mine:
            yield name, len(mine), *shown, sum(one.duplicates for one in mine), sum(one.lost for one in mine)
