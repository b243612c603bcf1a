"""Rebuild of a lost or damaged state store from Shopify and Xero. It writes nothing to Xero.

The rebuild renames the old store and never deletes it. The new store starts in safe mode (`loading/safe_mode.py`).
After a read of all of Xero, the rebuild plans the whole history of the shop again and adopts the records with this
project's keys. It reports records that are missing or different in Xero and leaves them to the next sync.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.known_records import NOT_LIVE
from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.changes.unmapped_posted import contact_from_element
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline.pipeline.connections import TryLaterError
from shopify_xero_pipeline.pipeline.day_planner import ORDER_KINDS
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.quarantine import QuarantinedStore, quarantine_store, store_exists
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Item, Kind

DAYS_PER_BATCH = 31
WAIT_STEP_SECONDS = 5.0
"""Interval of the countdown that a command prints."""

REBUILD_KEY, UNDER_WAY, DONE = "rebuild.state", "under way", "done"
OnChunk = Callable[[date, date], None]
"""Called with the first and the last day of each finished batch of days."""


@dataclass
class RebuildReport:
    """The result of a rebuild. The counts are of records by kind.

    Attributes:
        adopted: records with a mapping.
        missing: records that are not in Xero yet, or differ there.
        conflicting: records in conflict.
        unclaimed: records in Xero with this project's keys that no order, customer or product in Shopify calls for.
        conflicts: the lines of the plan that need a person.
    """

    adopted: Counter[Kind] = field(default_factory=Counter)
    missing: Counter[Kind] = field(default_factory=Counter)
    conflicting: Counter[Kind] = field(default_factory=Counter)
    unclaimed: Counter[Kind] = field(default_factory=Counter)
    conflicts: list[Change] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether no record needs a person."""
        return not self.conflicts and not self.unclaimed.total()

    def summary(self) -> dict[str, object]:
        """Return the figures under the keys of `--json`."""
        counts = {name: getattr(self, name) for name in ("adopted", "missing", "conflicting", "unclaimed")}
        return {
            **{name: {kind.value: by_kind[kind] for kind in Kind} for name, by_kind in counts.items()},
            "conflicts": [
                {"kind": line.kind.value, "record": line.natural_key, "reason": line.reason} for line in self.conflicts
            ],
            "succeeded": self.succeeded,
        }


def set_aside_store(settings: Settings, clock: Clock) -> QuarantinedStore | None:
    """Rename the configured store; return None if there is none, or if its rebuild has started already.

    Raises:
        TryLaterError: a load is using the store.
        StoreTooNewError: a newer version of this project wrote the store.
        StoreUrlError: STATE_URL names no store of this project.
    """
    url = settings.state_url
    if not store_exists(url):
        return None
    try:
        with closing(StateStore(url, clock, settings.state_witness)) as store:
            if (known := store.get_value(REBUILD_KEY)) is not None and known[0] == UNDER_WAY:
                return None
            busy = [batch for batch in store.journal.unsettled() if batch.is_leased(clock.now())]
    except StoreDamagedError:
        busy = []
    if busy:
        raise TryLaterError(
            "A load is writing to Xero right now. Let it finish, then run `shopify-xero rebuild` again."
        )
    return quarantine_store(url, clock.now())


class Rebuild:
    """The rebuild of one new store.

    Args:
        sync_service: the sync service on the new store.
    """

    def __init__(self, sync_service: SyncService) -> None:
        connections = sync_service.connections
        self._sync_service = sync_service
        self._clock, self._store = connections.clock, connections.store
        self._safe = SafeMode(connections.xero_client, connections.store, connections.clock)
        connections.organisation()
        self._store.put_value(REBUILD_KEY, UNDER_WAY)

    def quiet_until(self) -> timedelta:
        """Return the remaining time before Xero can be read, because a request may still be under way."""
        return self._safe.quiet_until()

    def wait(self, rest: timedelta) -> Iterator[float]:
        """Wait, and yield the remaining seconds every `WAIT_STEP_SECONDS`."""
        end = self._clock.elapsed() + rest.total_seconds()
        while (seconds := end - self._clock.elapsed()) > 0:
            yield seconds
            self._clock.sleep(min(WAIT_STEP_SECONDS, seconds))

    def adopt(self, run_id: str, on_chunk: OnChunk | None = None) -> RebuildReport:
        """Read all of Xero and the whole history of the shop, and map matching records.

        Args:
            run_id: the id of the run, stored with each adoption.
            on_chunk: called after each batch of days.

        Raises:
            TryLaterError: a request to Xero may still be under way.
            ShopifyError: Shopify could not be read.
            XeroError: Xero could not be read.
        """
        reason = self._safe.reason()
        if reason:
            raise TryLaterError(f"{reason[0].upper()}{reason[1:]}. Run `shopify-xero rebuild` again then.")
        report, days = RebuildReport(), self._sync_service.connections.days()
        for first in range(0, len(days), DAYS_PER_BATCH):
            chunk = days[first : first + DAYS_PER_BATCH]
            self._adopt_days(chunk, run_id, report)
            if on_chunk is not None:
                on_chunk(chunk[0], chunk[-1])
        self._adopt_contacts_of_deleted_customers(run_id)
        self._count_unclaimed(report)
        self._store.put_value(REBUILD_KEY, DONE)
        return report

    def _adopt_days(self, days: Sequence[date], run_id: str, report: RebuildReport) -> None:
        extractor, planner = self._sync_service.extractor, self._sync_service.planner
        customers, products = extractor.read_customers(days), extractor.read_products(days)
        orders = extractor.read_orders(days)
        planners: list[Callable[[], list[ChangeSet]]] = [
            lambda: planner.plan_contacts(customers, orders),  # Contacts and Items first: documents refer to them
            lambda: planner.plan_items(products, orders),
            *(partial(planner.plan_orders, orders, (kind,)) for kind in ORDER_KINDS),
        ]
        for plan in planners:
            change_sets = plan()
            adoptions = [adoption for change_set in change_sets if (adoption := self._adoptions(change_set)).changes]
            if adoptions:
                self._sync_service.loader.load(adoptions, run_id)
                change_sets = plan()
            for line in (line for change_set in change_sets for line in change_set.changes):
                if line.action is Action.CONFLICT:
                    report.conflicting[line.kind] += 1
                    report.conflicts.append(line)
                elif line.action in WRITING_ACTIONS:
                    report.missing[line.kind] += 1

    def _adopt_contacts_of_deleted_customers(self, run_id: str) -> None:
        """Map Contacts whose customers were deleted in Shopify, because later documents may need them."""
        rows = self._store.mirror(Kind.CONTACT)
        own_rows = [row for row in rows if references.is_own_contact_number(row.natural_key)]
        known = self._store.ids_by_xero_id(Kind.CONTACT, [row.xero_id for row in own_rows])
        lines = []
        for row in (row for row in own_rows if row.xero_id not in known):
            contact = contact_from_element(references.of_contact_number(row.natural_key), Element.from_row(row))
            lines.append(build_change(Action.ADOPT, contact, xero_id=row.xero_id))
        if lines:
            change_set = ChangeSet(kind=Kind.CONTACT, day=self._sync_service.connections.today(), changes=tuple(lines))
            self._sync_service.loader.load([change_set], run_id)

    def _adoptions(self, change_set: ChangeSet) -> ChangeSet:
        """Return the adoptions of records with this project's key; any other adoption would write to Xero."""
        renamed = self._items_by_name() if change_set.kind is Kind.ITEM else {}
        all_lines = [_with_earlier_code(line, renamed) for line in change_set.changes]
        lines = [line for line in all_lines if line.action is Action.ADOPT]
        xero_ids = [str(line.xero_id) for line in lines]
        mirror_rows = self._store.mirror_by_xero_id(change_set.kind, xero_ids)
        mirror_rows |= self._store.mirror_by_xero_id(Kind.ALLOCATION, xero_ids)
        keys = {xero_id: row.natural_key.casefold() for xero_id, row in mirror_rows.items()}
        own_lines = tuple(line for line in lines if keys.get(str(line.xero_id)) == line.natural_key.casefold())
        return change_set.model_copy(update={"changes": own_lines})

    def _items_by_name(self) -> dict[tuple[str, str], MirrorRecord]:
        """Return the unmapped Items by name and description, without ambiguous ones."""
        rows_by_name: dict[tuple[str, str], list[MirrorRecord]] = {}
        for row in self._store.unmapped_mirror([Kind.ITEM]):
            content = Element.from_row(row).content()
            rows_by_name.setdefault((str(content["name"]), str(content["description"])), []).append(row)
        return {key: rows[0] for key, rows in rows_by_name.items() if len(rows) == 1}

    def _count_unclaimed(self, report: RebuildReport) -> None:
        store, dismissed = self._store, self._store.orphans.kept_ids()
        for kind in Kind:
            report.adopted[kind] = len(store.mapped(kind))
            own_ids = [row.xero_id for row in store.mirror(kind) if _is_own_live_record(row)]
            report.unclaimed[kind] = len(set(own_ids) - store.ids_by_xero_id(kind, own_ids).keys() - dismissed)


def _with_earlier_code(line: Change, items: Mapping[tuple[str, str], MirrorRecord]) -> Change:
    """Return the adoption of an existing Item for a new Item whose SKU changed after Xero got its code."""
    row = items.get((line.record.name, str(line.record.description))) if isinstance(line.record, Item) else None
    if line.action is not Action.CREATE or row is None or not isinstance(line.record, Item):
        return line
    item = line.record.model_copy(update={"code": row.natural_key})
    return build_change(Action.ADOPT, item, reason="already in Xero under an earlier SKU", xero_id=row.xero_id)


def _is_own_live_record(row: MirrorRecord) -> bool:
    """Return whether a record of Xero is live and has this project's reference; Items and Allocations have none."""
    is_own = (
        references.is_own_contact_number(row.natural_key)
        if row.kind == Kind.CONTACT
        else references.is_own(row.reference)
    )
    return is_own and row.status not in NOT_LIVE
