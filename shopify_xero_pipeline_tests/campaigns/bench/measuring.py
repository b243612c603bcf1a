"""Measurement of one action of the program: the counts of the store, the calls, the CPU time and the memory.

The sandbox runs in the same process; its CPU time is subtracted. This module measures any action; the actions are in
`actions.py`.
"""

import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter, process_time, thread_time

from shopify_xero_pipeline.sandbox.transport import ASGIApp, Receive, Scope, Send
from shopify_xero_pipeline_tests.campaigns.bench.counting import counted
from shopify_xero_pipeline_tests.campaigns.bench.postgres_counting import counted_on_postgres
from shopify_xero_pipeline_tests.support.stage import Stage

REPETITIONS = 5
COUNTS = ("rows_read", "thousand_steps", "statements", "transactions", "longest", "rows_written")
BUDGET_SECONDS = 30.0
"""Time after which an action is not repeated again."""


@dataclass(frozen=True)
class Cost:
    """The cost of an action. The counts of the store are those of `counting.Tally`.

    Attributes:
        cpu: CPU seconds of the process, without the sandbox.
        seconds: elapsed seconds, with the sandbox.
        shopify_calls: calls to Shopify.
        xero_calls: calls to Xero.
        repetitions: the number of repetitions, of which times are the median.
        peak: the largest memory of the process so far, in MB.
    """

    rows_read: int
    thousand_steps: int
    statements: int
    transactions: int
    longest: float
    rows_written: int
    cpu: float
    seconds: float
    shopify_calls: int
    xero_calls: int
    callers: Mapping[str, int]
    caller_steps: Mapping[str, int]
    repetitions: int = 1
    peak: float = 0.0


class SandboxTimer:
    """CPU time of the sandbox, which serves each request in one thread.

    Args:
        app: the sandbox's app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.cpu = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        started = thread_time()
        try:
            await self._app(scope, receive, send)
        finally:
            self.cpu += thread_time() - started


class Meter:
    """Measures actions on a stage.

    Args:
        stage: the stage; its later sync services connect through the timer.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._timer = SandboxTimer(stage.sandbox.asgi)
        stage.sandbox.asgi = self._timer

    def measure(self, action: Callable[[], object]) -> Cost:
        """Return the cost of an action.

        Args:
            action: the action, by the stage's present sync service.
        """
        connections = self._stage.sync_service.connections
        calls, sandbox_cpu = connections.calls, self._timer.cpu
        with counted() as tally, counted_on_postgres(tally):
            started, cpu = perf_counter(), process_time()
            action()
            seconds, cpu = perf_counter() - started, process_time() - cpu
        shopify_calls, xero_calls = (after - before for after, before in zip(connections.calls, calls, strict=True))
        return Cost(
            **{name: getattr(tally, name) for name in COUNTS},
            cpu=cpu - (self._timer.cpu - sandbox_cpu),
            seconds=seconds,
            shopify_calls=shopify_calls,
            xero_calls=xero_calls,
            callers=dict(tally.callers.most_common()),
            caller_steps=dict(tally.caller_steps.most_common()),
            peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000,
        )

    def repeat(self, action: Callable[[], object], prepare: Callable[[], object] = lambda: None) -> Cost:
        """Return the cost of an action, with the medians of the times of its repetitions.

        Args:
            action: the action.
            prepare: what precedes each repetition, unmeasured.
        """
        costs: list[Cost] = []
        while len(costs) < REPETITIONS and sum(cost.seconds for cost in costs) < BUDGET_SECONDS:
            prepare()
            costs.append(self.measure(action))
        return median_cost(costs)


def median_cost(costs: Sequence[Cost]) -> Cost:
    """Return the counts of the first repetition, as in a new process, with the medians of the times.

    Args:
        costs: the costs of repetitions of one action.
    """
    times = {name: median(getattr(cost, name) for cost in costs) for name in ("cpu", "seconds", "longest")}
    return replace(costs[0], **times, repetitions=len(costs), peak=max(cost.peak for cost in costs))
