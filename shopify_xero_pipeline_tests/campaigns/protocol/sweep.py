"""Every crash point of a seed: the run is played once, and copied at each point by the operating system to die there.

A copy goes on with a new process on what was durable at that instant, and sends its verdict back. It is the same run as
the one that is played from the beginning with that point named, only cheaper. A point at which the store, Xero and what
is under way are what they were at the point before is counted, and not played twice.
"""

import os
import pickle
import shutil
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from shopify_xero_pipeline.state.file_mark import FileMark
from shopify_xero_pipeline.state.watermark_file import SUFFIX
from shopify_xero_pipeline_tests.campaigns.protocol.play import Outcome, Run, Spec, stage
from shopify_xero_pipeline_tests.campaigns.protocol.scene import ENGINES
from shopify_xero_pipeline_tests.support.scratch import in_memory

IN_FLIGHT = "call: in flight"


class Sweep:
    """All crash points of one seed.

    Args:
        seed: of the run.
        stride: only every so many points.
        first: the first of them.
    """

    def __init__(self, seed: int, stride: int = 1, first: int = 1) -> None:
        self._seed = seed
        self._stride, self._first = stride, first
        self._outcomes: list[Outcome] = []
        self._answer: BinaryIO | None = None
        self._last: tuple[object, ...] = ()

    def outcomes(self) -> list[Outcome]:
        """Play the run without a death and with a death at each point; return all outcomes, that one first."""
        with stage() as home:
            self._home = home
            self._run = Run(Spec(self._seed), home)
            self._run.scene.fork = self._copy
            outcome = self._run.outcome()
            if self._answer is not None:
                outcome.cpu = time.process_time()
                self._answer.write(pickle.dumps(outcome))
                self._answer.flush()
                shutil.rmtree(self._home, ignore_errors=True)
                os._exit(0)
        return [outcome, *self._outcomes]

    def _copy(self, point: int) -> bool:
        """Copy this process at a point; tell the copy to die there."""
        if self._is_known() or (point - self._first) % self._stride:
            return False
        state = self._run.scene.path.read_bytes()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._become_copy(point, state, os.fdopen(writing, "wb"))
            return True
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            told = answer.read()
        os.waitpid(child, 0)
        if not told:
            raise AssertionError(f"the run of seed {self._seed} that dies at point {point} did not come to an end")
        self._outcomes.append(pickle.loads(told))
        return False

    def _is_known(self) -> bool:
        """Tell whether nothing has changed since the last point that was looked at; in flight it is about to."""
        scene = self._run.scene
        with scene.path.open("rb") as file:
            commits = file.read(28)[24:]  # SQLite's file change counter
        in_flight = scene.last_point == IN_FLIGHT and scene.points
        witness = tuple(file.read_bytes() for file in scene.path.parent.glob(f"*{SUFFIX}"))
        present = (commits, witness, scene.organisation.executed, scene.timeline.under_way, in_flight)
        known, self._last = present == self._last, present
        return known

    def _become_copy(self, point: int, state: bytes, answer: BinaryIO) -> None:
        """Go on as the copy: on a store of its own, with what was durable in the other one."""
        self._home, self._answer = Path(tempfile.mkdtemp(prefix="protocol-", dir=in_memory())), answer
        path = self._home / "state.db"
        for other in self._run.scene.path.parent.glob(f"*{SUFFIX}"):
            shutil.copyfile(other, self._home / other.name)
        path.write_bytes(state)
        FileMark(path).trust()
        scene = self._run.scene
        scene.fork = None
        scene.path = scene.watch.path = ENGINES.path = path
        scene.watch.leave()
        self._run.result.spec = Spec(self._seed, (point,))
