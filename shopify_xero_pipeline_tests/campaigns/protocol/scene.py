"""One run's stage: one timeline, one organisation, one store, and the processes that load into them and die.

A process is the real loader, store and client with an injected clock and transport. Its points are counted: each
transaction that changes something as it is about to commit, the first thing it does after one has committed, each call
before it arrives, while it is in flight and after it was executed. Between two points nothing durable changes, so that
dying elsewhere is the same as dying at one of them.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from shopify_xero_pipeline.loading.load_report import LoadReport
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline_tests.campaigns.protocol.engines import Engines
from shopify_xero_pipeline_tests.campaigns.protocol.line import Line
from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Organisation
from shopify_xero_pipeline_tests.campaigns.protocol.requests import Requests
from shopify_xero_pipeline_tests.campaigns.protocol.timeline import HostClock, ProcessClock, Timeline
from shopify_xero_pipeline_tests.campaigns.protocol.trade import Plan
from shopify_xero_pipeline_tests.campaigns.protocol.troubles import Character, Troubles
from shopify_xero_pipeline_tests.campaigns.protocol.turns import Turns
from shopify_xero_pipeline_tests.campaigns.protocol.watch import Watch

CREDENTIALS = XeroCredentials(client_id="sandbox", client_secret="sandbox")
HOSTS = 2
SUSPENSIONS = (20, 46, 70, 95, 119, 121, 130, 300, 599, 601, 700, 1500)

ENGINES = Engines()


class SimulatedCrash(BaseException):
    """The process dies here: nothing catches it, nothing is tidied up."""


class Scene:
    """The stage of one run.

    Args:
        seed: names the run; every choice on the stage is drawn from it.
        home: a folder of its own, with a store in it or none yet.
        own: how its network behaves.
        crashes: at which point a process dies, counted from the beginning or from the death before.

    Attributes:
        fork: asked at each point, with its number, whether this is a copy of the run that dies here.
    """

    def __init__(self, seed: int, home: Path, own: Character, crashes: Sequence[int] = ()) -> None:
        self.seed = seed
        self.path = home / "state.db"
        self.timeline = Timeline()
        self.turns = Turns(self.timeline, random.Random(f"{seed} turns"))
        self.troubles = Troubles(own, random.Random(f"{seed} troubles"))
        self.organisation = Organisation(self.timeline, own.lag)
        self.watch = Watch(self.path)
        self.tally: Counter[str] = Counter()
        self.crashes = list(crashes)
        self.fork: Callable[[int], bool] | None = None
        self.points = self.all_points = 0
        self.last_point = ""
        clocks = random.Random(f"{seed} clocks")
        self.hosts = [HostClock(self.timeline, clocks, foreign=own.foreign) for _ in range(HOSTS)]
        self.setting_rate = own.setting_rate
        self._clocks = clocks
        self.dying_rate = 0.0
        self.passing_rate = 0.0
        flights = random.Random(f"{seed} flights")
        self.in_flight = flights.choice((1, 2, 3, 5, 5))
        self.overtaking_rate = flights.choice((0.0, 0.1, 0.5)) if self.in_flight > 1 else 0.0
        self.suspending_rate = 0.0
        self._processes = 0
        ENGINES.rest = self.rest
        self._rng = random.Random(f"{seed} stage")

    def rest(self, seconds: float) -> None:
        """Let time pass; other processes and requests, if there are any, go on meanwhile."""
        self.turns.rest(seconds)

    def start(self) -> "Process":
        """Start a process on the store as it is, on one host or the other."""
        self._processes += 1
        rng = random.Random(f"{self.seed} process {self._processes}")
        return Process(self, rng, self._clocks.choice(self.hosts))

    def passes(self, process: "Process", name: str, dying: Callable[[], None] | None) -> None:
        """Let a process pass a point, or die there.

        Raises:
            SimulatedCrash: it dies.
        """
        self.points += 1
        self.all_points += 1
        self.last_point = name
        if self.setting_rate and self._clocks.random() < self.setting_rate:
            self.tally["clocks set"] += 1
            self._clocks.choice(self.hosts).set_anew()
        if self._dies():
            self.points = 0
            self.tally[f"crash {name}"] += 1
            if dying is not None:
                dying()
            process.die()
        if name == "transaction: before":
            self._lets_others_pass()

    def _lets_others_pass(self) -> None:
        if self.overtaking_rate and self._rng.random() < self.overtaking_rate:
            self.rest(0)
        if self.passing_rate and self._rng.random() < self.passing_rate:
            self.rest(self._rng.choice((0, 0, 1, 5)))
        if self.suspending_rate and self._rng.random() < self.suspending_rate / 8:
            self.tally["suspensions"] += 1
            self.rest(self._rng.choice(SUSPENSIONS))

    def _dies(self) -> bool:
        if self.fork is not None and self.fork(self.points):
            return True
        if self.crashes and self.points == self.crashes[0]:
            self.crashes.pop(0)
            return True
        return self.dying_rate > 0 and self._rng.random() < self.dying_rate

    def may_suspend(self, process: "Process") -> None:
        """Suspend a process for a while, with its write marked as sent and not a byte of it gone."""
        if self.suspending_rate and self._rng.random() < self.suspending_rate:
            self.tally["suspensions"] += 1
            self.rest(self._rng.choice(SUSPENSIONS))


class Process:
    """One process from its start to its end or death.

    Attributes:
        travelling: its writes on their way to Xero: what becomes of each when the process dies.
    """

    def __init__(self, scene: Scene, rng: random.Random, host: HostClock) -> None:
        self._scene = scene
        self._changed = False
        self._before = 0
        self._is_dead = False
        self.travelling: list[Callable[[], None]] = []
        self.clock = ProcessClock(scene.timeline, self.rest, host)
        self.store = StateStore(f"sqlite:///{scene.path}", self.clock)
        self._engine = self.store._engine
        ENGINES.hooks[self._engine] = (self._begins, self._commits)
        self.client = XeroClient(CREDENTIALS, clock=self.clock, transport=Line(scene, self), rng=rng)
        requests = Requests(scene.turns, scene.in_flight, self.lives)
        self.loader = Loader(self.client, self.store, self.clock, rng, requests)

    def load(self, plan: Plan, run_id: str) -> LoadReport:
        """Load a plan, all families at once."""
        return self.loader.load(plan.change_sets(), run_id)

    def close(self) -> None:
        """End as a process ends: whatever is open is closed."""
        self.client.close()
        ENGINES.give_back(self._engine)

    def point(self, name: str, dying: Callable[[], None] | None = None) -> None:
        """Pass a point; see `Scene.passes`."""
        self.lives()
        self._scene.passes(self, name, dying)
        self.lives()

    def rest(self, seconds: float) -> None:
        """Let time pass, in which another request of this process may meet its death."""
        self._scene.rest(seconds)
        self.lives()

    def die(self) -> None:
        """Die, with every request of this process.

        Raises:
            SimulatedCrash: always.
        """
        self._is_dead = True
        for goes_on in self.travelling:
            goes_on()
        raise SimulatedCrash

    def lives(self) -> None:
        """Raise if this process has died.

        Raises:
            SimulatedCrash: it has.
        """
        if self._is_dead:
            raise SimulatedCrash

    def _begins(self, connection: Connection) -> None:
        self.lives()
        self._before = _changes(connection)
        if self._changed or self._scene.passing_rate or self._scene.overtaking_rate:
            self._changed = False
            self.point("transaction: before")

    def _commits(self, connection: Connection) -> None:
        if _changes(connection) > self._before:
            self.point("transaction: about to commit")
            self._changed = True


def _changes(connection: Connection) -> int:
    driver: Any = connection.connection.dbapi_connection
    return int(driver.total_changes)
