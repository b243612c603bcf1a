"""What a campaign plays for each seed, and the counting: every crash point, several deaths, several loaders at once.

For a seed: the run without a death, one that dies at each point there is, some that die two to six times, and some in
which two or three processes load at once. Running on several cores and showing it is in `__main__.py`.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from shopify_xero_pipeline_tests.campaigns.protocol.play import Outcome, Spec, play
from shopify_xero_pipeline_tests.campaigns.protocol.sweep import Sweep

REPEATED, TOGETHER = 2, 2


@dataclass
class Tally:
    """Counts by name, and the runs that were not as they should be.

    Attributes:
        done: the seeds that are done.
        runs: how many runs were played.
        points: how many points the runs without a death passed.
        cpu: seconds of computing.
        counts: what happened, by name.
        failed: command and problems of each bad run.
    """

    done: set[int] = field(default_factory=set)
    runs: int = 0
    points: int = 0
    cpu: float = 0
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def seeds(self) -> int:
        """How many seeds are done."""
        return len(self.done)

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.runs += 1
        self.counts.update(outcome.tally)
        self.counts.update(_words(outcome.problems))
        if outcome.problems:
            self.failed.append((outcome.spec.command, outcome.problems))

    def join(self, other: "Tally") -> None:
        """Add another one's counts."""
        self.done |= other.done
        for name in ("runs", "points", "cpu"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.counts.update(other.counts)
        self.failed += other.failed

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        failed = [{"command": command, "problems": problems} for command, problems in self.failed]
        whole = {"seeds": self.seeds, "runs": self.runs, "points": self.points, "cpu_seconds": round(self.cpu, 1)}
        return {**whole, "done": sorted(self.done), "counts": dict(sorted(self.counts.items())), "failed": failed}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Tally":
        """Return what `as_json` gave."""
        failed = [(one["command"], one["problems"]) for one in found["failed"]]
        counted = {"runs": found["runs"], "points": found["points"], "cpu": found["cpu_seconds"]}
        return cls(done={*found["done"]}, counts=Counter(found["counts"]), failed=failed, **counted)


def whole_seed(seed: int, stride: int = 1) -> Tally:
    """Play everything of one seed; with a stride only every so many crash points."""
    tally, began = Tally(done={seed}), time.process_time()
    sound, *dying = Sweep(seed, stride, 1 + seed % stride).outcomes()
    tally.points = sound.points
    for outcome in (sound, *dying):
        tally.add(outcome)
    tally.counts["runs: one death"] += len(dying)
    for spec in more(seed, sound.points):
        outcome = play(spec)
        tally.add(outcome)
        tally.counts["runs: several loaders" if spec.loaders > 1 else "runs: two to six deaths"] += 1
    tally.cpu = time.process_time() - began + sum(one.cpu for one in dying)
    return tally


def more(seed: int, points: int) -> Iterator[Spec]:
    """Yield the runs of a seed beside those that die once."""
    rng = random.Random(f"{seed} more")
    for _ in range(REPEATED):
        yield Spec(seed, tuple(rng.randint(1, max(points, 2)) for _ in range(rng.randint(2, 6))))
    for at in range(TOGETHER):
        yield Spec(seed, (), 2 + at % 2)


def _words(problems: list[str]) -> Counter[str]:
    return Counter(f"problem {one.split(':')[0]}" for one in problems)
