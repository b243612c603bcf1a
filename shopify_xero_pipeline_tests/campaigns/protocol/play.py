"""One run from its seed to its verdict: loads, deaths, restarts, people, and at last quiet time and the judgement.

A run is named by its seed, the points at which its processes die one after the other, and how many of them load at
once; the same name always gives the same run. What is wanted is in `trade.py`, what is right in `judge.py`.
"""

import atexit
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadReport
from shopify_xero_pipeline.loading.outcomes import IDENTITY_FIELDS
from shopify_xero_pipeline.sandbox.xero.answers import Rejected
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.database_errors import StoreBusyError, StoreUnwritableError
from shopify_xero_pipeline.state.records import OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.errors import XeroDeniedError, XeroSignInError, XeroUnavailableError
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.campaigns.protocol.judge import Judgement
from shopify_xero_pipeline_tests.campaigns.protocol.people import ACTS, Act
from shopify_xero_pipeline_tests.campaigns.protocol.scene import ENGINES, Process, Scene, SimulatedCrash
from shopify_xero_pipeline_tests.campaigns.protocol.timeline import Timeline
from shopify_xero_pipeline_tests.campaigns.protocol.trade import FOR_GOOD, Plan, Trade, trade
from shopify_xero_pipeline_tests.campaigns.protocol.troubles import Character, character
from shopify_xero_pipeline_tests.support.scratch import in_memory

COMMAND = "python -m shopify_xero_pipeline_tests.campaigns.protocol"
RESTARTS = (1, 20, 29, 31, 44, 46, 60, 89, 91, 100, 119, 121, 150, 300, 400, 599, 601, 700, 3600)
GAPS = (5, 120, 700, 4000)
LOADS_TO_REST = 14
BATCH_SIZES = ((50, 10, 1), (2, 1, 1), (1, 1, 1), (1, 1, 1))
"""Elements of a batch by attempt. A run has few records, so that only small batches are in flight side by side."""

SMALL_FROM = 100
"""From this seed on a run is about one order: fewer points to die at, and so more networks and people for the time."""

EXPECTED = (XeroDeniedError, XeroSignInError, XeroUnavailableError, StoreBusyError, StoreUnwritableError)

NEVER = """
CREATE TRIGGER frozen BEFORE UPDATE ON batch WHEN NEW.idempotency_key IS NOT OLD.idempotency_key
    OR NEW.body_hash IS NOT OLD.body_hash OR NEW.path IS NOT OLD.path OR NEW.method IS NOT OLD.method
    OR (NEW.body IS NOT OLD.body AND NEW.body IS NOT x'')
    OR (OLD.first_sent_at IS NOT NULL AND NEW.first_sent_at IS NOT OLD.first_sent_at)
    OR (OLD.xero_sent_at IS NOT NULL AND NEW.xero_sent_at IS NOT OLD.xero_sent_at)
    BEGIN SELECT RAISE(ABORT, 'I4: what was frozen in a batch was changed'); END;
CREATE TRIGGER fence BEFORE UPDATE ON batch WHEN NEW.fence < OLD.fence
    BEGIN SELECT RAISE(ABORT, 'I8: a fence went back'); END;
CREATE TRIGGER forward BEFORE UPDATE ON batch WHEN NEW.state IS NOT OLD.state
    AND (OLD.state IN ('confirmed', 'resolved') OR NEW.state = 'intent'
        OR (OLD.state = 'ambiguous' AND NEW.state = 'sent'))
    BEGIN SELECT RAISE(ABORT, 'I8: a batch went back'); END;
CREATE TRIGGER over BEFORE UPDATE ON operation
    WHEN OLD.state IN ('confirmed', 'withdrawn') AND NEW.state IS NOT OLD.state
    BEGIN SELECT RAISE(ABORT, 'I8: an operation that was over went on'); END;
CREATE TRIGGER evidence_stays BEFORE DELETE ON evidence
    BEGIN SELECT RAISE(ABORT, 'I7: evidence was deleted'); END;
"""
"""What the journal must never do, refused by the database itself: frozen bytes (I4), only forward (I8)."""

UNSETTLED = """
SELECT (SELECT count(*) FROM batch WHERE state IN ('intent', 'sent', 'ambiguous'))
    + (SELECT count(*) FROM operation
        WHERE state IN ('in_batch', 'needs_check') OR state = 'planned' AND reason NOT LIKE 'waits for its%')
"""


@dataclass(frozen=True)
class Spec:
    """What names a run."""

    seed: int
    crashes: tuple[int, ...] = ()
    loaders: int = 1

    @property
    def command(self) -> str:
        """The one command that plays it again."""
        deaths = f" --crash {','.join(map(str, self.crashes))}" if self.crashes else ""
        several = f" --loaders {self.loaders}" if self.loaders > 1 else ""
        return f"{COMMAND} --seed {self.seed}{deaths}{several}"


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        spec: its name.
        points: how many points its processes passed.
        problems: what was wrong; empty for a run as it should be.
        tally: what happened, counted.
        cpu: seconds of computing.
    """

    spec: Spec
    points: int = 0
    problems: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    cpu: float = 0


@contextmanager
def stage() -> Iterator[Path]:
    """Give a folder with an empty store, in memory if the machine allows it: a commit then costs no disk."""
    with tempfile.TemporaryDirectory(prefix="protocol-", dir=in_memory()) as folder:
        home = Path(folder)
        with ENGINES.lending(home / "state.db"):
            shutil.copyfile(template(), home / "state.db")
            yield home


def play(spec: Spec) -> Outcome:
    """Play one run and judge it."""
    with stage() as home:
        return Run(spec, home).outcome()


@cache
def template() -> Path:
    """Return an empty store, made once by a process and left to those it forks; it refuses what must never be."""
    folder = tempfile.mkdtemp(prefix="protocol-", dir=in_memory())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "state.db"
    ENGINES.path, before = path, ENGINES.path
    StateStore(f"sqlite:///{path}", Timeline()).close()
    ENGINES.path = before
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(NEVER)
    return path


class Run:
    """One run as it is played.

    Args:
        spec: its name.
        home: the folder with its store.
        own: how its network behaves; by default drawn.
        wanted: what it is to bring to Xero; by default drawn.
    """

    def __init__(self, spec: Spec, home: Path, own: Character | None = None, wanted: Trade | None = None) -> None:
        rng = random.Random(f"{spec.seed} run")
        drawn, traded = character(rng), trade(rng, small=spec.seed >= SMALL_FROM)
        self.own, self.trade = own or drawn, wanted or traded
        self.scene = Scene(spec.seed, home, self.own, spec.crashes)
        self.result = Outcome(spec)
        self._seed, self._loaders = spec.seed, spec.loaders
        self._rng = random.Random(f"{spec.seed} waits")
        self._report: LoadReport | None = None
        self._batch_sizes = rng.choice(BATCH_SIZES)
        self.scene.organisation.refusals = dict(self.trade.refusals)
        self._invite_people()

    def outcome(self, jobs: Sequence[Callable[[], None]] = ()) -> Outcome:
        """Play to the end and judge; with jobs, they are what happens before the rest."""
        elements = patch.object(batch_requests, "ATTEMPTS_BEFORE_SPLIT", self._batch_sizes)
        elements.start()
        try:
            if jobs:
                self.scene.turns.run(jobs)
            elif self._loaders > 1:
                self._together()
            else:
                self._tell(self.trade.plans, self._rng)
            self._rest()
        except Exception as failure:  # whatever escapes is a finding of this run
            self.result.problems.append(f"escaped: {type(failure).__name__}: {failure}")
        finally:
            elements.stop()
        self.result.points = self.scene.all_points
        self.result.tally.update(self.scene.tally)
        self.result.problems += self.scene.watch.problems
        self.scene.watch.close()
        return self.result

    def _tell(self, plans: tuple[Plan, ...], rng: random.Random) -> None:
        """Load each plan, and go on after each death as a new process does."""
        for number, plan in enumerate(plans):
            while not self._attempt(plan, number, rng):
                self.scene.rest(rng.choice(RESTARTS))
                if rng.random() < 0.2:
                    break
            self.scene.rest(rng.choice(GAPS))

    def _attempt(self, plan: Plan, number: int, rng: random.Random) -> bool:
        """Let a new process load a plan; tell whether it lived."""
        self._report = None
        try:
            with self._process() as process:
                if rng.random() < 0.2:
                    process.loader.recover()
                self._report = process.load(plan, f"run-{number}")
        except SimulatedCrash:
            return False
        except EXPECTED as refusal:
            self.scene.tally[f"ended: {type(refusal).__name__}"] += 1
        return True

    @contextmanager
    def _process(self) -> Iterator[Process]:
        process = self.scene.start()
        try:
            yield process
        finally:
            process.close()

    def _together(self) -> None:
        """Let several processes load the plans at once, die, and start again."""
        rates = random.Random(f"{self._seed} together")
        self.scene.dying_rate = rates.choice((0.0, 0.002, 0.01))
        self.scene.passing_rate = rates.choice((0.05, 0.3))
        self.scene.suspending_rate = rates.choice((0.0, 0.1, 0.3))

        def job(number: int) -> None:
            rng = random.Random(f"{self._seed} loader {number}")
            self.scene.rest(rng.choice((0, 0, 1, 30, 300)))
            self._tell(self.trade.plans, rng)

        jobs: list[Callable[[], None]] = [lambda number=number: job(number) for number in range(self._loaders)]  # type: ignore[misc]
        self.scene.turns.run(jobs)
        self._report = None
        self.scene.dying_rate = self.scene.passing_rate = self.scene.suspending_rate = 0.0

    def _rest(self) -> None:
        """End all trouble but wrong clocks, load the last plan until nothing is left to do, and judge."""
        self.scene.troubles.quiet = True
        self.scene.setting_rate = 0.0
        held = self.scene.organisation.refusals
        self.scene.organisation.refusals = {text: said for text, said in held.items() if said == FOR_GOOD}
        self.scene.rest(901)
        for number in range(LOADS_TO_REST):
            if self._is_done(first=number == 0):
                break
            self._attempt(self.trade.last, 100 + number, self._rng)
            self.scene.rest(901)
        self._judge()

    def _is_done(self, *, first: bool) -> bool:
        """Tell whether the last load has left nothing to do; what failed while there was trouble is loaded again."""
        if self._report is None or (first and self._report.count(LoadOutcome.FAILED)):
            return False
        waiting = [one for one in self._report.results if one.outcome is LoadOutcome.POSTPONED]
        return all(one.reason.startswith("waits for its") for one in waiting) and not self._unsettled()

    def _unsettled(self) -> int:
        """Count what the store itself says is left, which may be of records that the last plan does not name."""
        with closing(sqlite3.connect(f"file:{self.scene.path}?mode=ro", uri=True)) as connection:
            return int(connection.execute(UNSETTLED).fetchone()[0])

    def _judge(self) -> None:
        self.scene.fork, self.scene.crashes = None, []
        with self._process() as process:
            store, books = process.store, self.scene.organisation.books
            Mirror(process.client, store, process.clock).refresh(Kind, timedelta(seconds=-1))
            self.result.problems += Judgement(self.trade, books, store).problems
            self._count(store)
            if (
                not self.result.problems
                and not store.failed_records()
                and not self.trade.churns
                and self._rng.random() < 0.3
            ):
                if _are_to_be_updated(store):
                    process.load(self.trade.last, "update")
                calls = self.scene.tally["calls"]
                process.load(self.trade.last, "again")
                if self.scene.tally["calls"] != calls:
                    self.result.problems.append("restless: loading the same once more called Xero")

    def _count(self, store: StateStore) -> None:
        tally = self.result.tally
        for one in store.journal.in_state(OperationState.CONFIRMED):
            tally[f"settled {one.outcome}"] += 1
        tally["read back"] += self.scene.watch.read_back()
        tally["failed"] += len(store.failed_records())
        tally["replayed"] += self.scene.organisation.sandbox.idempotency.replays
        tally["requests"] += len(self.scene.watch.by_key)

    def _invite_people(self) -> None:
        """Let a person meddle with some orders, each at some time."""
        rng = random.Random(f"{self._seed} people")
        for order in self.trade.meddled:
            act = rng.choice(ACTS)
            seconds = rng.choice((0, 1, 5, 30, 300, 900))
            self.scene.timeline.after(seconds, lambda order=order, act=act: self._meddle(order, act))  # type: ignore[misc]

    def _meddle(self, order: str, act: Act) -> None:
        try:
            act(self.scene.organisation, f"SH-{order}")
        except (LookupError, Rejected):
            return
        self.scene.tally[f"person: {act.__doc__}"] += 1
        self.scene.organisation.changed()


def _are_to_be_updated(store: StateStore) -> bool:
    """Tell whether records were recognised by their key alone: the next load gives them their content."""
    rows = [row for kind in (Kind.CONTACT, Kind.ITEM) for row in store.mapped(kind).values()]
    return any(parse_exact_json(row.payload).keys() <= IDENTITY_FIELDS for row in rows)
