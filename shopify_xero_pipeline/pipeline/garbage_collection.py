"""Python's garbage collector in processes that sync.

The records of a run live until its end, so most collections free nothing. They took a fifth of the CPU of a sync of 14
days: 3.1 s with Python's threshold, 2.5 s with this one, with the same peak memory.
"""

import gc

THRESHOLD = 20_000
"""Number of new objects before a collection; Python's default is 700."""


def collect_less_often() -> None:
    """Set the threshold of the youngest generation for this process."""
    gc.set_threshold(THRESHOLD, *gc.get_threshold()[1:])
