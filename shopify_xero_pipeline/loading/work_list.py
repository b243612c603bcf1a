"""What change-sets ask of the loader: each record once, whatever the number of days that want it.

A plan is not the truth: the mapping is looked at again here, and decides whether a record is created, updated, adopted
or left as it is. Nothing is sent or stored here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.load_report import LoadResult, unchanged_result
from shopify_xero_pipeline.state.canonical import checksum, parse_exact_json
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, PlannedWrite
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.models import AnyRecord, Kind

WRITING_ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE})
UPDATABLE_KINDS = frozenset({Kind.CONTACT, Kind.ITEM})


@dataclass
class WantedRecord:
    """A record to be written: the plan's latest word on it, and every day that wants it."""

    change: Change
    record: AnyRecord
    days: list[date] = field(default_factory=list)


class WorkList:
    """The records of some change-sets, by kind and Shopify id, in the order of the plan."""

    def __init__(self, change_sets: Sequence[ChangeSet]) -> None:
        self.unchanged: list[LoadResult] = []
        self.listed = {(line.kind.value, line.shopify_id) for one in change_sets for line in one.changes}
        self.days = {one.day for one in change_sets}
        self.kinds = {one.kind for one in change_sets}
        if Kind.PAYMENT in self.kinds:
            self.kinds.add(Kind.ALLOCATION)
        self._wanted: dict[Kind, dict[str, WantedRecord]] = {kind: {} for kind in Kind}
        self._left_out: dict[str, WantedRecord] = {}
        for one in sorted(change_sets, key=lambda change_set: change_set.day):
            for change in one.changes:
                self._add(one.day, change)

    def of(self, kind: Kind) -> dict[str, WantedRecord]:
        """Return what is wanted of one kind, by Shopify id."""
        return self._wanted[kind]

    def wanted(self) -> dict[tuple[str, str], WantedRecord]:
        """Return all that is wanted, by kind and Shopify id."""
        return {(kind.value, key): one for kind, some in self._wanted.items() for key, one in some.items()}

    def left_out(self, run_id: str) -> list[PlannedWrite]:
        """Return the Items that the plan leaves out, so that documents do not wait for them."""
        return [_write(one, run_id, "create", None) for one in self._left_out.values()]

    def _add(self, day: date, change: Change) -> None:
        if change.kind is Kind.ITEM and change.action is Action.SKIPPED and change.record is not None:
            self._left_out[change.shopify_id] = WantedRecord(change, change.record, [day])
        if change.action is Action.UNCHANGED:
            self.unchanged.append(unchanged_result(day, change, change.reason))
        if change.action not in WRITING_ACTIONS or change.record is None:
            return
        wanted = self._wanted[change.kind].setdefault(change.shopify_id, WantedRecord(change, change.record))
        wanted.change, wanted.record = change, change.record
        wanted.days.append(day)


def planned_write(
    wanted: WantedRecord, mapped: MappedRecord | None, shown: Mapping[str, MirrorRecord], run_id: str
) -> PlannedWrite | None:
    """Return how a record is to be written, or None if the mapping shows that it already is as wanted.

    Args:
        wanted: the record.
        mapped: what we posted of it, if we did.
        shown: what Xero last showed, by Xero id.
        run_id: the run that writes it.
    """
    record, change = wanted.record, wanted.change
    content = checksum(record.content())
    verb, xero_id = ("adopt", change.xero_id) if change.action is Action.ADOPT and change.xero_id else ("create", None)
    if change.action is Action.DELETE:
        if mapped is None:
            return None
        verb, xero_id = "delete", mapped.xero_id
    elif mapped is not None:
        if record.kind not in UPDATABLE_KINDS or (mapped.checksum == content and not _restores(wanted, mapped, shown)):
            return None
        verb, xero_id = "update", mapped.xero_id
    return _write(wanted, run_id, verb, xero_id)


def _write(wanted: WantedRecord, run_id: str, verb: str, xero_id: str | None) -> PlannedWrite:
    record, change = wanted.record, wanted.change
    return PlannedWrite(
        kind=record.kind,
        shopify_id=record.shopify_id,
        natural_key=record.natural_key,
        order_id=change.order_id,
        order_name=change.order_name,
        partition=wanted.days[0],
        run_id=run_id,
        verb=verb,
        payload=batch_requests.serialize_payload(record),
        checksum=checksum(record.content()),
        xero_id=xero_id,
    )


def _restores(wanted: WantedRecord, mapped: MappedRecord, shown: Mapping[str, MirrorRecord]) -> bool:
    """Tell whether an update undoes what a person changed in Xero: posted so already, but Xero shows something else."""
    mirrored = shown.get(mapped.xero_id)
    if wanted.change.action is not Action.UPDATE or mirrored is None:
        return False
    return not serialization.contains(wanted.record, parse_exact_json(mirrored.payload))
