"""The forecast of the calls to Xero that the sync of planned days will make.

It follows the sync: each run reads the kinds on which its writes depend, writes batches, and reads back the documents
that it wrote or paid. This module only counts and makes no call; the write calls are counted in `changes/cost.py`, the
daily quota is in `api_quota.py`, and `calendar.py` divides days into runs.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from shopify_xero_pipeline.changes import cost
from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.changes.reads_before_writes import kinds_to_read
from shopify_xero_pipeline.pipeline import mirror_refresh
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota
from shopify_xero_pipeline.pipeline.settings_review import ORGANISATION_MAX_AGE
from shopify_xero_pipeline.reconciliation.orphans import LISTED
from shopify_xero_pipeline.xero.client import PAGE_SIZE
from shopify_xero_pipeline.xero.mirror import SWEEP_OVERLAP
from shopify_xero_pipeline.xero.models import Allocation, Document, Kind, Payment
from shopify_xero_pipeline.xero.rate_limiter import CALLS_PER_MINUTE

SECONDS_PER_CALL = 60 / CALLS_PER_MINUTE
ORGANISATION_CALLS = 1
"""Calls for the organisation's lock dates. Its accounts are read once a day, which planning has done."""

OVERLAP_CALLS = round(SWEEP_OVERLAP.total_seconds() / SECONDS_PER_CALL)
"""The calls whose records a sweep reads again, because it begins before its watermark."""

PLANNED_TOGETHER = (
    ((Kind.CONTACT,), (Kind.CONTACT,)),
    ((Kind.ITEM,), (Kind.ITEM,)),
    ((Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT), (Kind.CONTACT, Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)),
)
"""The kinds of the change-sets that one step plans, and the kinds that this step may read, as in `day_planner.py`."""

Documents = dict[str, Kind]
"""The kinds of documents by Shopify id."""


@dataclass
class Forecast:
    """The calls to Xero of runs over ranges of days, added range by range in the order of the runs.

    Attributes:
        writes: number of write calls.
        reads: number of read calls, without `first_reads`.
        first_reads: number of read calls before the first write. Planning has made them; the sync repeats them if
            planning takes longer than their results may be used.
        records: number of records to write.
        ranges: number of runs.
        seconds: time that planning took; the runs read and plan once more.
        is_first_write: whether nothing was written from the state store yet.
    """

    writes: int = 0
    reads: int = 0
    first_reads: int = 0
    records: int = 0
    ranges: int = 0
    seconds: float = 0.0
    is_first_write: bool = False
    _planned: set[tuple[Kind, str, Action]] = field(default_factory=set)
    _written: list[tuple[int, Counter[Kind]]] = field(default_factory=list)  # calls at the end of a run; its records
    _swept_at: dict[Kind, int] = field(default_factory=dict)  # calls at the last sweep of a kind
    _organisation_read_at: float | None = None  # in seconds since the beginning of the sync

    def add(self, plans: Iterable[ChangeSet], posted: Collection[str] = ()) -> None:
        """Add the plans of a run; a record that several runs plan, such as a shared Contact, counts once.

        Args:
            plans: the change-sets of one run.
            posted: Shopify ids of posted documents, among them those of all money that the plans write.
        """
        new_plans = [plan.model_copy(update={"changes": tuple(self._new_changes(plan))}) for plan in plans]
        self.ranges += 1
        before = self._reads_before(new_plans, posted)
        if before and self._organisation_read_at is None:
            self.first_reads, self._organisation_read_at = before, 0.0
        elif before:
            self.reads += before + self._organisation_reads()
        lines = [line for plan in new_plans for line in plan.changes if cost.is_sent(line)]
        if not lines:
            return
        self.records += len(lines)
        self.writes += cost.count_write_calls(new_plans)
        documents = Counter(_documents_of(lines).values())
        self._written.append((self.writes + self.reads, Counter(line.kind for line in lines) | documents))
        self.reads += self._reads_after(documents.keys()) + _deletions(lines)

    @property
    def read_calls(self) -> int:
        """Number of read calls before plans and after loads."""
        if self.seconds < mirror_refresh.MAX_AGE.total_seconds():
            return self.reads
        is_outdated = self.first_reads and self.seconds >= ORGANISATION_MAX_AGE.total_seconds()
        return self.reads + self.first_reads + (ORGANISATION_CALLS if is_outdated else 0)

    @property
    def calls(self) -> int:
        """Number of calls to Xero."""
        return self.writes + self.read_calls

    @property
    def minutes(self) -> int:
        """Shortest duration in whole minutes, which is planning again plus all calls at Xero's limit per minute."""
        return -(-round(self.seconds + SECONDS_PER_CALL * self.calls) // 60)

    def summary(self, quota: DailyQuota) -> dict[str, object]:
        """Return the figures under the keys of `--json`."""
        return {
            "records": self.records,
            "runs": self.ranges,
            "xero_write_calls": self.writes,
            "xero_read_calls": self.read_calls,
            "xero_calls": self.calls,
            "minutes": self.minutes,
            "days_of_quota": quota.days_of(self.calls),
            "xero_calls_left_today": quota.remaining,
        }

    def _new_changes(self, plan: ChangeSet) -> Iterable[Change]:
        """Yield the conflicts of a plan, and the writing lines that no earlier plan has."""
        for line in plan.changes:
            key = (line.kind, line.shopify_id, line.action)
            if line.action is Action.CONFLICT:
                yield line
            elif line.action in WRITING_ACTIONS and key not in self._planned:
                self._planned.add(key)
                yield line

    def _reads_before(self, plans: Sequence[ChangeSet], posted: Collection[str]) -> int:
        """Return the calls of the sweeps before the writes of a run, each kind once."""
        kinds: set[Kind] = set()
        for planned, readable in PLANNED_TOGETHER:
            kinds |= kinds_to_read([plan for plan in plans if plan.kind in planned], posted) & {*readable}
        return sum(map(self._sweep, kinds))

    def _reads_after(self, documents: Collection[Kind]) -> int:
        """Return the calls of the read-back, and those of a first load, which also looks for Contacts of ours."""
        kinds, self.is_first_write = LISTED if self.is_first_write else documents, False
        first_look = 1 if kinds is LISTED else 0
        return first_look + sum(map(self._sweep, kinds))

    def _sweep(self, kind: Kind) -> int:
        """Return the calls of a sweep, which reads what was written since the last one and in the overlap before it."""
        since = self._swept_at.get(kind, 0) - OVERLAP_CALLS
        self._swept_at[kind] = self.writes + self.reads
        return 1 if kind is Kind.ITEM else _pages(sum(sizes[kind] for at, sizes in self._written if at > since))

    def _organisation_reads(self) -> int:
        """Return the calls for the organisation before a run, at the pace of Xero's limit per minute."""
        now = SECONDS_PER_CALL * (self.writes + self.reads)
        if now - (self._organisation_read_at or 0.0) < ORGANISATION_MAX_AGE.total_seconds():
            return 0
        self._organisation_read_at = now
        return ORGANISATION_CALLS


def _documents_of(lines: Iterable[Change]) -> Documents:
    """Return the documents that lines write, pay or allocate."""
    documents: Documents = {}
    for line in lines:
        if isinstance(line.record, Document):
            documents[line.shopify_id] = line.kind
        elif isinstance(line.record, Payment):
            documents[line.record.document_id] = line.record.document_kind
        elif isinstance(line.record, Allocation):
            documents[line.record.credit_note_id] = Kind.CREDIT_NOTE
            documents[line.record.invoice_id] = Kind.INVOICE
    return documents


def _deletions(lines: Iterable[Change]) -> int:
    """Return the number of deletions, of which each is looked up in its Credit Note."""
    return sum(line.action is Action.DELETE for line in lines)


def _pages(records: int) -> int:
    """Return the number of pages of a list, which is one for an empty list."""
    return max(1, -(-records // PAGE_SIZE))
