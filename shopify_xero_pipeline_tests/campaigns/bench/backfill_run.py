"""One backfill of a sandbox on an address, in a process that runs nothing else.

`python -m …campaigns.bench.backfill_run ADDRESS FOLDER NOW FIRST LAST` syncs a range of days as `shopify-xero sync`
does, in one run with Dagster's storages of the product, and writes its cost as JSON.
"""

import json
import logging
import os
import random
import signal
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from time import process_time
from types import FrameType

from upath import UPath

from shopify_xero_pipeline.cli.job_runner import JobRunner, dagster_instance
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline_tests.campaigns.bench.remote_clock import RemoteClock, peak_memory

SAMPLE_SECONDS = 0.01
"""CPU time between two samples of the stack."""

OURS, DAGSTER, OTHER = "this project", "Dagster", "other"
PACKAGES = {"shopify_xero_pipeline": OURS, "dagster": DAGSTER, "dagster_shared": DAGSTER}


@dataclass(frozen=True)
class BackfillCost:
    """The cost of a backfill.

    Attributes:
        calls: calls to Xero.
        cpu: CPU seconds of the process from the start of the sync.
        samples: samples of the stack by the project that called, such as 900 of Dagster.
        peak: the largest memory of the process in MB, of which `base` before the sync.
    """

    calls: int
    cpu: float
    samples: dict[str, int]
    peak: float
    base: float


class Sampler:
    """Counts which project uses CPU time: the innermost frame of this project or of Dagster decides.

    Libraries count for the project that calls them. The signal arrives in the main thread, so the threads that send
    requests count as the load that waits for them.
    """

    def __init__(self) -> None:
        self.samples = Counter[str]()
        signal.signal(signal.SIGPROF, self._count)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def _count(self, _number: int, frame: FrameType | None) -> None:
        owner = OTHER
        while frame is not None and owner is OTHER:
            owner = PACKAGES.get(frame.f_globals.get("__name__", "").partition(".")[0], OTHER)
            frame = frame.f_back
        self.samples[owner] += 1

    def stop(self) -> None:
        """End the sampling."""
        signal.setitimer(signal.ITIMER_PROF, 0)


def backfill(address: str, folder: Path, now: datetime, first: date, last: date) -> BackfillCost:
    """Sync a range of days into an empty store and an empty organisation.

    Args:
        address: the address of the sandbox, whose time is `now`.
        folder: a folder for all files, with the `books.yaml`.
        now: the time of the sync.
        first: the first day.
        last: the last day.
    """
    environ = {
        "SHOPIFY_BASE_URL": address,
        "XERO_BASE_URL": address,
        "STATE_URL": f"sqlite:///{folder / 'state.db'}",
        "ASSET_STORAGE": str(folder / "assets"),
        "BOOKS_FILE": str(folder / "books.yaml"),
    }
    settings = Settings.from_environment(environ, dotenv=None)
    sync_service = SyncService(Connections(settings, RemoteClock(now, address), rng=random.Random(1)))
    with dagster_instance() as instance:
        runner = JobRunner(sync_service, instance, UPath(folder / "assets"))
        base, sampler, started = peak_memory(), Sampler(), process_time()
        report = runner.sync(days_between(first, last))
        sampler.stop()
        cpu = process_time() - started
    assert report.succeeded, report.message
    return BackfillCost(report.xero_calls, cpu, dict(sampler.samples), peak_memory(), base)


def main() -> None:
    """Run the backfill of the arguments."""
    address, folder, now, first, last = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    os.environ["DAGSTER_HOME"] = str(Path(folder) / "dagster")
    days = date.fromisoformat(first), date.fromisoformat(last)
    print(json.dumps(asdict(backfill(address, Path(folder), datetime.fromisoformat(now), *days))))


if __name__ == "__main__":
    main()
