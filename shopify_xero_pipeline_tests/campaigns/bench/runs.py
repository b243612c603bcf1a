"""The runs of the benchmark: each number of earlier orders has a store of its own, each action a new process.

In a new process the largest memory is that of the action, and the action starts without a copy of the books in memory,
like a command or a run. This module only starts processes and collects their results.
"""

import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from shopify_xero_pipeline_tests.campaigns.bench import actions
from shopify_xero_pipeline_tests.campaigns.bench.actions import ACTIONS, Costs
from shopify_xero_pipeline_tests.campaigns.bench.measuring import median_cost
from shopify_xero_pipeline_tests.campaigns.bench.scene import Scene, fill

R = TypeVar("R")


@dataclass(frozen=True)
class SizeResult:
    """The costs of all actions with a number of earlier orders.

    Attributes:
        orders: the number of earlier orders.
        fill_seconds: the duration of the filling.
        megabytes: the size of the filled store; 0 for one on a server.
        costs: the costs by action.
    """

    orders: int
    fill_seconds: float
    megabytes: float
    costs: Costs


def run_size(
    folder: Path, orders: int, repeat: int, report: Callable[[str], object], state_url: str = ""
) -> SizeResult:
    """Fill a store and measure all actions on it.

    Args:
        folder: a folder with room for the store, and for a copy of it if the new day is repeated.
        orders: the number of earlier orders.
        repeat: the number of runs of the new day.
        report: receives the name of each step before it.
        state_url: the URL of an empty state store for a single run of the new day; by default an SQLite file.
    """
    scene = Scene(folder / "filled", orders, state_url=state_url)
    report("filling")
    started = time.perf_counter()
    _in_new_process(fill, scene)
    seconds = time.perf_counter() - started
    megabytes = 0.0 if state_url else scene.store_file.stat().st_size / 1e6
    runs = [_run(actions.NEW, each, report) for each in _scenes(scene, repeat)]
    costs = {name: median_cost([run[name] for run in runs]) for name in runs[0]}
    for name in ACTIONS:
        if name != actions.NEW:
            costs |= _run(name, scene, report)
    return SizeResult(orders, seconds, megabytes, costs)


def _scenes(scene: Scene, repeat: int) -> Iterator[Scene]:
    """Yield copies of a scene, and last the scene itself."""
    for number in range(1, repeat):
        copy = replace(scene, folder=scene.folder.with_name(f"copy {number}"))
        shutil.copytree(scene.folder, copy.folder)
        yield copy
        shutil.rmtree(copy.folder)
    yield scene


def _run(name: str, scene: Scene, report: Callable[[str], object]) -> Costs:
    report(name)
    return _in_new_process(ACTIONS[name], scene)


def _in_new_process(function: Callable[[Scene], R], scene: Scene) -> R:
    context = multiprocessing.get_context("spawn")  # a forked process would have this process's memory
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, scene).result()
