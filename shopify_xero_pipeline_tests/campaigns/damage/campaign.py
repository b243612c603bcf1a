"""One case of damage, from the first load after it to exact books, and the counts over many cases.

The seed of a case determines the damage, its place and the elapsed time. Nothing may be written to Xero before the
damage is reported, or before safe mode has read everything back; at the end each record is in Xero once.
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
from shopify_xero_pipeline.state.database_errors import StoreDamagedError, StoreUrlError
from shopify_xero_pipeline.state.file_mark import FileMark
from shopify_xero_pipeline.state.migrations import StoreTooNewError
from shopify_xero_pipeline.state.quarantine import quarantine_store
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES, metadata
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.damage.harm import HARMS, SHARES
from shopify_xero_pipeline_tests.campaigns.damage.life import STORE, Files, Life, begin
from shopify_xero_pipeline_tests.support.world import Tapped, World

DELAYS = (150, 400, 700, 3_600)
"""Seconds, none within the replay horizon: the sandbox starts each case with its books, but without its cached keys."""

UNKNOWABLE = ("page as it was before",)
"""Damage that may go undetected, since a whole earlier page has valid checksums; the books must still be exact."""

AT_NIGHT = "told at night"
SWEPT = {"Contacts", "Items", "Invoices", "CreditNotes", "Payments"}
REPORTED = (StoreDamagedError, StoreTooNewError, StoreUrlError)


@dataclass
class Outcome:
    """The outcome of a case. `detected`: told (reported), safe mode, or empty; `changed`: the changed content."""

    seed: int
    harm: str
    detected: str = ""
    changed: str = ""
    problems: list[str] = field(default_factory=list)
    duplicates: int = 0
    lost: int = 0


class Watch:
    """An observer of requests to Xero: writes, and whether all kinds had been read in full before."""

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
    """Return the damage of a case: each kind in turn, some kinds more often."""
    names = [name for name in HARMS for _ in range(SHARES.get(name, 1))]
    return names[seed % len(names)]


def suffer(life: Life, seed: int, folder: Path, *, hidden: bool = False) -> Outcome:
    """Play one case in an empty folder.

    Args:
        life: the life whose store is damaged.
        seed: chooses the damage.
        folder: an empty folder.
        hidden: whether the mark of the store's file fits, as after damage that a failing disk makes. Then the load
            verifies only the rows that it uses, and the night verifies the others.
    """
    rng = random.Random(seed)
    outcome = Outcome(seed, harm_of(seed))
    files = HARMS[outcome.harm](life, rng)
    outcome.changed = _changed(life.files, files, folder.with_name(f"{folder.name}-looked-at"))
    world = begin(life, folder, files)
    watch, delay = Watch(world), rng.choice(DELAYS)
    if hidden and (folder / STORE).exists():
        FileMark(folder / STORE).trust()
    world.wait(delay)
    outcome.detected = _first_load(world, life, watch)
    if hidden:
        outcome.detected = outcome.detected or _at_night(world)
    else:
        _judge_first(outcome, world, life, watch)
    at_first = outcome.detected
    _finish(world, life, outcome)
    if not hidden and outcome.detected != at_first:
        outcome.problems.append("the damage was told only by a later load")
    world.store.close()
    return outcome


def _first_load(world: World, life: Life, watch: Watch) -> str:
    try:
        world.restart()
        doubted = world.store.send_watermark.find_issue() is not None
        world.load(*life.records)
    except REPORTED:
        return "told"
    except Exception as problem:  # any other error does not explain the damage
        return f"crash {type(problem).__name__}: {problem}"[:300]
    return "safe mode" if doubted else ""


def _at_night(world: World) -> str:
    try:
        world.store.verify()
    except REPORTED:
        return AT_NIGHT
    return ""


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
    """Rebuild after reported damage, load until nothing is left, and compare Xero with the records."""
    if outcome.detected in ("told", AT_NIGHT) or outcome.detected.startswith("crash"):
        quarantine_store(world.url, world.clock.now())
    for _ in range(8):
        try:
            world.restart()
            report = world.load(*life.records)
        except REPORTED:  # of damage that the first load did not meet
            outcome.detected = "told"
            quarantine_store(world.url, world.clock.now())
            continue
        if not report.count(LoadOutcome.POSTPONED):
            break
        world.wait(700)
    for kind in Kind:
        wanted, live = [record for record in life.records if record.kind is kind], len(world.live(kind))
        outcome.duplicates += max(0, live - len(wanted))
        outcome.lost += max(0, len(wanted) - live)
        if len(world.store.mapped(kind)) != len(wanted):
            outcome.problems.append(f"{len(world.store.mapped(kind))} of {len(wanted)} {kind} mapped")
    if outcome.duplicates or outcome.lost or report.count(LoadOutcome.FAILED):
        failed = [result.reason for result in report.results if result.outcome is LoadOutcome.FAILED]
        outcome.problems.append(f"{outcome.duplicates} duplicates, {outcome.lost} lost, failed: {failed}")


def _changed(before: Files, after: Files, folder: Path) -> str:
    """Return the changed content of the store: rows with a checksum, other rows, the witness, or nothing."""
    if after.get(STORE) == before[STORE]:
        return "nothing" if after == before else "the witness"
    folder.mkdir(parents=True)
    checksummed = {table.name for table in CHECKSUMMED_TABLES}
    was, now = _content(before, folder / "was"), _content(after, folder / "now")
    different = {name for name in metadata.tables if was.get(name) != now.get(name)}
    if different & checksummed:
        return "sealed rows"
    return f"other rows: {', '.join(sorted(different))}" if different else "nothing"


def _content(files: Files, path: Path) -> dict[str, object]:
    if STORE not in files:
        return {}
    path.write_bytes(files[STORE])
    rows: dict[str, object] = {}
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        for name in metadata.tables:
            try:
                rows[name] = sorted(map(repr, connection.execute(f"SELECT * FROM {name} NOT INDEXED")))
            except sqlite3.Error as problem:
                rows[name] = f"{type(problem).__name__}"
    return rows


def hidden_table_of(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, int, int, int, int, int, int]]:
    """Yield a row for each kind of damage that the mark of the file does not show.

    The counts are: cases; reported by the load or safe mode; reported at night; not reported; duplicates and lost
    records at the end.
    """
    for name in HARMS:
        cases = [outcome for outcome in outcomes if outcome.harm == name]
        told = sum(outcome.detected not in ("", AT_NIGHT) for outcome in cases)
        night = sum(outcome.detected == AT_NIGHT for outcome in cases)
        wrong = sum(outcome.duplicates for outcome in cases), sum(outcome.lost for outcome in cases)
        yield (name, len(cases), told, night, len(cases) - told - night, *wrong)


def table_of(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, int, int, int, int, int, int, int, int]]:
    """Yield a row for each kind of damage.

    The counts are: cases; reported; in safe mode; undetected without a change of rows; undetected with changes of rows
    without a checksum only; missed; duplicates and lost records at the end.
    """
    for name in HARMS:
        cases = [outcome for outcome in outcomes if outcome.harm == name]
        by = Counter(case.detected.partition(" ")[0] or case.changed.partition(" ")[0] for case in cases)
        counts = (by["told"], by["safe"], by["nothing"], by["other"], by["sealed"] + by["the"] + by["crash"])
        if cases:
            yield name, len(cases), *counts, sum(case.duplicates for case in cases), sum(case.lost for case in cases)
