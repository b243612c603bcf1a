"""The work list of a load, with each record once, however many days want it.

A load reads the change-sets of a range in portions, and remembers of earlier portions only what `LoadPlan` holds. The
mapping is newer than a plan, so it decides here again whether a record is created, updated, adopted or unchanged. This
module sends and stores nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias

from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.load_report import LoadResult, unchanged_result
from shopify_xero_pipeline.state.canonical import checksum
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, PlannedWrite, SyncError
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline.xero.serialization import contains

Key: TypeAlias = tuple[str, str]
"""Kind and Shopify id."""

DELETE_VERB = "delete"
UPDATABLE_KINDS = frozenset({Kind.CONTACT, Kind.ITEM})


@dataclass
class WantedRecord:
    """A record to write.

    Attributes:
        change: its line in the newest change-set.
        record: its content there.
        first_day: the earliest day of the load that wants it.
        days: every day of the portion that wants it, earliest first.
    """

    change: Change
    record: AnyRecord
    first_day: date
    days: list[date] = field(default_factory=list)


class DueWrite(NamedTuple):
    """A planned write without its content, which the journal has."""

    shopify_id: str
    verb: str
    order_id: str | None


@dataclass
class LoadPlan:
    """What a load has planned, in the order of the plan and without contents.

    Attributes:
        first_days: the earliest day that wants each record.
        due: the writes of this load by kind, then by Shopify id.
        deferred: the failures that this load does not retry.
    """

    first_days: dict[Key, date] = field(default_factory=dict)
    due: dict[Kind, dict[str, DueWrite]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    deferred: dict[Key, SyncError] = field(default_factory=dict)

    def add(self, writes: Iterable[PlannedWrite]) -> None:
        """Add writes; a later portion may want a record again."""
        for write in writes:
            self.due[Kind(write.kind)][write.shopify_id] = DueWrite(write.shopify_id, write.verb, write.order_id)

    def stages(self) -> Iterator[tuple[Kind, list[DueWrite]]]:
        """Yield the writes in order: parents first, and deletes of Allocations before the money in their place."""
        for kind, writes in self.due.items():
            if kind is Kind.PAYMENT:
                allocations = self.due[Kind.ALLOCATION].values()
                yield Kind.ALLOCATION, [write for write in allocations if write.verb == DELETE_VERB]
            yield kind, [write for write in writes.values() if write.verb != DELETE_VERB]


class WorkList:
    """The records of one portion of change-sets by kind and Shopify id, in the order of the plan.

    Args:
        change_sets: the portion.
        first_days: the earliest day that wants each record, of this and all earlier portions; the list adds its own.

    Attributes:
        unchanged: results of the records that need no write.
        days: days of the change-sets.
        kinds: their kinds; Payments include the Allocations to delete.
    """

    def __init__(self, change_sets: Sequence[ChangeSet], first_days: dict[Key, date]) -> None:
        self._first_days = first_days
        self.unchanged: list[LoadResult] = []
        self._listed = {
            (change.kind.value, change.shopify_id) for change_set in change_sets for change in change_set.changes
        }
        self.days = {change_set.day for change_set in change_sets}
        self.kinds = {change_set.kind for change_set in change_sets}
        if Kind.PAYMENT in self.kinds:
            self.kinds.add(Kind.ALLOCATION)
        self._wanted: dict[Kind, dict[str, WantedRecord]] = {kind: {} for kind in Kind}
        self._left_out: dict[str, WantedRecord] = {}
        # In the order of the days: the newest change-set decides the content of a record.
        for change_set in sorted(change_sets, key=lambda item: item.day):
            for change in change_set.changes:
                self._add(change_set.day, change)

    def is_listed(self, key: Key) -> bool:
        """Return whether a line of this portion is about a record, or this or an earlier portion wants it."""
        return key in self._listed or key in self._first_days

    def of(self, kind: Kind) -> dict[str, WantedRecord]:
        """Return the wanted records of one kind by Shopify id."""
        return self._wanted[kind]

    def wanted(self) -> dict[Key, WantedRecord]:
        """Return all wanted records by kind and Shopify id."""
        return {(kind.value, key): wanted for kind, records in self._wanted.items() for key, wanted in records.items()}

    def left_out(self, run_id: str) -> list[PlannedWrite]:
        """Return the writes of the Items that the plan excludes, so that no document waits for them."""
        return [_build_write(wanted, run_id, "create", None) for wanted in self._left_out.values()]

    def _add(self, day: date, change: Change) -> None:
        if change.kind is Kind.ITEM and change.action is Action.SKIPPED and change.record is not None:
            self._left_out[change.shopify_id] = WantedRecord(change, change.record, day, [day])
        if change.action is Action.UNCHANGED:
            self.unchanged.append(unchanged_result(day, change, change.reason))
        if change.action not in WRITING_ACTIONS or change.record is None:
            return
        first_day = self._first_days.setdefault((change.kind.value, change.shopify_id), day)
        wanted = self._wanted[change.kind].setdefault(change.shopify_id, WantedRecord(change, change.record, first_day))
        wanted.change, wanted.record = change, change.record
        wanted.days.append(day)


def planned_write(
    wanted: WantedRecord, mapped: MappedRecord | None, mirrored: Mapping[str, MirrorRecord], run_id: str
) -> PlannedWrite | None:
    """Return the write of a record, or None if the mapping shows that it needs none.

    Args:
        wanted: the record.
        mapped: the record as posted, or None.
        mirrored: rows of the mirror by Xero id.
        run_id: the Dagster run or the command.
    """
    record, change = wanted.record, wanted.change
    verb, xero_id = ("adopt", change.xero_id) if change.action is Action.ADOPT and change.xero_id else ("create", None)
    if change.action is Action.DELETE:
        if mapped is None:
            return None
        verb, xero_id = DELETE_VERB, mapped.xero_id
    elif mapped is not None:
        if record.kind not in UPDATABLE_KINDS:
            return None
        if mapped.checksum == checksum(record.content()) and not _is_restore(wanted, mapped, mirrored):
            return None
        verb, xero_id = "update", mapped.xero_id
    return _build_write(wanted, run_id, verb, xero_id)


def _build_write(wanted: WantedRecord, run_id: str, verb: str, xero_id: str | None) -> PlannedWrite:
    record, change = wanted.record, wanted.change
    return PlannedWrite(
        kind=record.kind,
        shopify_id=record.shopify_id,
        natural_key=record.natural_key,
        order_id=change.order_id,
        order_name=change.order_name,
        partition=wanted.first_day,
        run_id=run_id,
        verb=verb,
        payload=batch_requests.serialize_payload(record),
        checksum=checksum(record.content()),
        xero_id=xero_id,
    )


def _is_restore(wanted: WantedRecord, mapped: MappedRecord, mirrored: Mapping[str, MirrorRecord]) -> bool:
    """Return whether an update restores posted content that a person changed in Xero."""
    row = mirrored.get(mapped.xero_id)
    if wanted.change.action is not Action.UPDATE or row is None:
        return False
    return not contains(wanted.record, Element.from_row(row))
