"""The requests of one simulated process, side by side as its loader starts them and in an order that the seed draws.

Only the workers that the loader is given belong here. When the process dies, its requests die with it.
"""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import TypeVar

from shopify_xero_pipeline_tests.campaigns.protocol.turns import Turns

T = TypeVar("T")


class Requests:
    """The workers of one process.

    Args:
        turns: runs the requests.
        limit: how many may be in flight.
        lives: raises if the process has died.
    """

    def __init__(self, turns: Turns, limit: int, lives: Callable[[], None]) -> None:
        self.limit = limit
        self._turns = turns
        self._lives = lives

    def start(self, job: Callable[[], T]) -> Future[T]:
        """Start a request."""
        future: Future[T] = Future()

        def request() -> None:
            try:
                self._lives()
                future.set_result(job())
            except BaseException as failure:
                future.set_exception(failure)

        self._turns.start(request, self._lives)
        return future

    def wait(self, started: Collection[Future[T]]) -> None:
        """Wait until one of them has ended."""
        self._turns.wait(lambda: any(future.done() for future in started))
        self._lives()
