"""Where a run stands: how much of it is done, and which days, which kind and how many records it is at.

Counted is what happens, as events tell it (`observability/events.py`); nothing is estimated. A run over a range of days
consists of pieces of work, and within a load of the records it is to write. How it is drawn is decided in `output.py`.
"""

from collections.abc import Mapping
from datetime import date

from shopify_xero_pipeline.reconciliation.verdict import count_of

VERBS = {"read": "reading", "plan": "planning", "sync": "writing", "reconciliation": "comparing"}


class RunProgress:
    """What is done of a run.

    Args:
        days: how many days it covers.
        pieces: of work for each range of days; 0 where that is not known, so that only whole ranges count.

    Attributes:
        now: what it is at, in words; empty before the first piece of work.
    """

    def __init__(self, days: int, pieces: int = 0) -> None:
        self.now = ""
        self._days, self._pieces = days, pieces
        self._done, self._range, self._ended = 0, 0, 0
        self._piece = ""
        self._records, self._settled, self._calls = 0, 0, 0

    @property
    def completed_share(self) -> float:
        """How much is done, from 0 to 1: ranges of days, pieces of the present one, records of the present load."""
        piece = min(self._settled / self._records, 1.0) if self._records else 0.0
        inside = min((self._ended + piece) / self._pieces, 1.0) * self._range if self._pieces else 0.0
        return min((self._done + inside) / self._days, 1.0) if self._days else 1.0

    def end_range(self, first: date, last: date) -> None:
        """Note that a range of days is done."""
        self._done += (last - first).days + 1
        self._range, self._ended = 0, 0

    def watch(self, event: str, fields: Mapping[str, object]) -> None:
        """Take in an event."""
        name, _, what = event.rpartition("_")
        if name in VERBS:
            self._begin(VERBS[name], fields) if what == "began" else self._end()
        elif event == "load_planned":
            self._records = int(str(fields["records"]))
        elif event == "batch_settled":
            self._settled += int(str(fields["settled"]))
        elif event == "api_call":
            self._calls += 1
        self.now = f"{self._piece}{self._count()}" if self._piece else ""

    def _begin(self, verb: str, fields: Mapping[str, object]) -> None:
        span = str(fields["partition"])
        self._piece = f"{span}: {verb} {_plural(str(fields['entity_type']))}"
        self._range = _days(span)
        self._records, self._settled, self._calls = 0, 0, 0

    def _end(self) -> None:
        """End a piece; after the last one of a range Dagster notes what came of its days, which takes a while."""
        self._ended += 1
        self._records, self._settled, self._calls = 0, 0, 0
        if self._ended == self._pieces - 1:
            self._piece = f"{self._piece.partition(':')[0]}: noting what came of it"

    def _count(self) -> str:
        if self._records:
            return f", {self._settled:,} of {self._records:,} records"
        return f", {count_of(self._calls, 'call')}" if self._calls else ""


def _plural(kinds: str) -> str:
    """Return kinds of records as people call them: `credit_note` is `credit notes`."""
    return " and ".join(f"{kind.replace('_', ' ')}s" for kind in kinds.split(" and "))


def _days(span: str) -> int:
    """Return how many days a span of them covers, as `events.span` writes it."""
    if not span:
        return 0
    first, _, last = span.partition("..")
    return (date.fromisoformat(last or first) - date.fromisoformat(first)).days + 1
