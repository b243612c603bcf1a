"""Making the state store anew from Shopify and Xero alone, when it is lost or damaged. Nothing is written to Xero.

The old store is put aside, never deleted. The new one begins in safe mode (`loading/safe_mode.py`); once all of Xero is
read, the whole history of the shop is planned again, and what stands in Xero under our keys is adopted. What is not
there yet, or is there in another shape, is told and left to the next sync.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.known_records import NOT_LIVE
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.plan import WRITING_ACTIONS
from shopify_xero_pipeline.changes.unmapped_posted import contact_from_element
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading.safe_mode import SafeMode
from shopify_xero_pipeline.pipeline.connections import TryLaterError
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.quarantine import QuarantinedStore, quarantine_store, store_exists
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.state.row_checksums import StoreDamagedError
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Item, Kind

DAYS_PER_BATCH = timedelta(days=31)
STEP = 5.0
REBUILD, UNDER_WAY, DONE = "rebuild.state", "under way", "done"
OF_ORDERS = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT)
OnChunk = Callable[[date, date], None]


@dataclass
class RebuildReport:
    """What a rebuild found. `conflicts` are the lines of the plan that a person has to look at.

    `adopted`, `missing` (not in Xero yet), `conflicting` and `unclaimed` (in Xero under our keys, and not called for by
    what Shopify says today) count records by kind.
    """

    adopted: Counter[Kind] = field(default_factory=Counter)
    missing: Counter[Kind] = field(default_factory=Counter)
    conflicting: Counter[Kind] = field(default_factory=Counter)
    unclaimed: Counter[Kind] = field(default_factory=Counter)
    conflicts: list[Change] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether nothing is left for a person to look at."""
        return not self.conflicts and not self.unclaimed.total()

    def summary(self) -> dict[str, object]:
        """Return the figures under the names that `--json` promises."""
        counts = {name: getattr(self, name) for name in ("adopted", "missing", "conflicting", "unclaimed")}
        told = [{"kind": one.kind.value, "record": one.natural_key, "reason": one.reason} for one in self.conflicts]
        return {
            **{name: {kind.value: found[kind] for kind in Kind} for name, found in counts.items()},
            "conflicts": told,
            "succeeded": self.succeeded,
        }


def set_aside_store(settings: Settings, clock: Clock) -> QuarantinedStore | None:
    """Put the store that the settings name aside; return None if there is none, or one that is being rebuilt already.

    Raises:
        TryLater: a load is at work in it.
        StoreTooNewError: it was written by a newer version of this project.
        StoreUrlError: what the settings name is no store of this project.
    """
    url = settings.state_url
    if not store_exists(url):
        return None
    try:
        with closing(StateStore(url, clock, settings.state_witness)) as store:
            if (known := store.get_value(REBUILD)) is not None and known[0] == UNDER_WAY:
                return None
            busy = [one for one in store.journal.unsettled() if one.is_leased(clock.now())]
    except StoreDamagedError:
        busy = []
    if busy:
        raise TryLaterError(
            "A load is writing to Xero right now. Let it finish, then run `shopify-xero rebuild` again."
        )
    return quarantine_store(url, clock.now())


class Rebuild:
    """A new store in the place of the one the settings name.

    Args:
        sync_service: connected to both sides and to the new store.
        clock: waits where that is needed.
    """

    def __init__(self, sync_service: SyncService, clock: Clock) -> None:
        self._sync_service = sync_service
        self._clock = clock
        self._safe = SafeMode(sync_service.connections.xero_client, sync_service.connections.store, clock)
        sync_service.connections.organisation()
        sync_service.connections.store.put_value(REBUILD, UNDER_WAY)

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self._days())

    def quiet_until(self) -> timedelta:
        """Return for how long Xero may not be read back yet, because something may still be under way."""
        return self._safe.quiet_until()

    def wait(self, rest: timedelta) -> Iterator[float]:
        """Wait for so long, and yield the seconds that are left every few seconds."""
        end = self._clock.elapsed() + rest.total_seconds()
        while (left := end - self._clock.elapsed()) > 0:
            yield left
            self._clock.sleep(min(STEP, left))

    def adopt(self, run_id: str, on_chunk: OnChunk | None = None) -> RebuildReport:
        """Read all of Xero and the whole history of the shop, and map what belongs together.

        Raises:
            TryLater: something may still be under way to Xero.
        """
        reason = self._safe.reason()
        if reason:
            raise TryLaterError(f"{reason[0].upper()}{reason[1:]}. Run `shopify-xero rebuild` again then.")
        found, days = RebuildReport(), self._days()
        for first in range(0, len(days), DAYS_PER_BATCH.days):
            some = days[first : first + DAYS_PER_BATCH.days]
            self._adopt_days(some, run_id, found)
            if on_chunk is not None:
                on_chunk(some[0], some[-1])
        self._adopt_contacts_of_deleted_customers(run_id)
        self._count_unclaimed(found)
        self._sync_service.connections.store.put_value(REBUILD, DONE)
        return found

    def _days(self) -> list[date]:
        start, today = self._sync_service.connections.policy.start_date, self._sync_service.connections.today()
        return [start + timedelta(days=number) for number in range((today - start).days + 1)]

    def _adopt_days(self, days: Sequence[date], run_id: str, found: RebuildReport) -> None:
        for plan in self._plans(days):
            change_sets = plan()
            adoptions = [self._adoptions(one) for one in change_sets]
            if any(one.changes for one in adoptions):
                self._sync_service.load([one for one in adoptions if one.changes], run_id)
                change_sets = plan()
            for line in (line for one in change_sets for line in one.changes):
                self._count(line, found)

    def _plans(self, days: Sequence[date]) -> Iterator[Callable[[], list[ChangeSet]]]:
        sync_service = self._sync_service
        customers, products = sync_service.read_customers(days), sync_service.read_products(days)
        orders = sync_service.read_orders(days)
        yield lambda: sync_service.plan_contacts(customers, orders)
        yield lambda: sync_service.plan_items(products, orders)
        for kind in OF_ORDERS:
            yield partial(sync_service.plan_orders, orders, (kind,))

    def _adopt_contacts_of_deleted_customers(self, run_id: str) -> None:
        """Map Contacts whose customers Shopify no longer has, as documents of theirs may still be to come."""
        store = self._sync_service.connections.store
        ours = [row for row in store.mirror(Kind.CONTACT) if references.is_own_contact_number(row.natural_key)]
        known = store.ids_by_xero_id(Kind.CONTACT, [row.xero_id for row in ours])
        lines = []
        for row in (row for row in ours if row.xero_id not in known):
            contact = contact_from_element(references.of_contact_number(row.natural_key), parse_payload(row.payload))
            lines.append(build_change(Action.ADOPT, contact, xero_id=row.xero_id))
        if lines:
            self._sync_service.load(
                [ChangeSet(kind=Kind.CONTACT, day=self._sync_service.connections.today(), changes=tuple(lines))], run_id
            )

    def _adoptions(self, change_set: ChangeSet) -> ChangeSet:
        """Return the records that stand in Xero under our key already; to adopt any other, Xero would be written to."""
        renamed = self._items_by_name() if change_set.kind is Kind.ITEM else {}
        found = [_under_other_code(line, renamed) for line in change_set.changes]
        lines = [line for line in found if line.action is Action.ADOPT]
        shown = self._sync_service.connections.store.mirror_by_xero_id(
            change_set.kind, [str(line.xero_id) for line in lines]
        )
        shown |= self._sync_service.connections.store.mirror_by_xero_id(
            Kind.ALLOCATION, [str(line.xero_id) for line in lines]
        )
        keys = {xero_id: row.natural_key.casefold() for xero_id, row in shown.items()}
        ours = tuple(line for line in lines if keys.get(str(line.xero_id)) == line.natural_key.casefold())
        return change_set.model_copy(update={"changes": ours})

    def _items_by_name(self) -> dict[tuple[str, str], MirrorRecord]:
        """Return the Items that nothing is mapped to, by name and description, where only one is called so."""
        found: dict[tuple[str, str], list[MirrorRecord]] = {}
        for row in self._sync_service.connections.store.unmapped_mirror([Kind.ITEM]):
            element = parse_payload(row.payload)
            found.setdefault((str(element.get("Name")), str(element.get("Description"))), []).append(row)
        return {key: rows[0] for key, rows in found.items() if len(rows) == 1}

    @staticmethod
    def _count(line: Change, found: RebuildReport) -> None:
        if line.action is Action.CONFLICT:
            found.conflicting[line.kind] += 1
            found.conflicts.append(line)
        elif line.action in WRITING_ACTIONS:
            found.missing[line.kind] += 1

    def _count_unclaimed(self, found: RebuildReport) -> None:
        store = self._sync_service.connections.store
        kept = store.orphans.kept_ids()
        for kind in Kind:
            found.adopted[kind] = len(store.mapped(kind))
            ours = [row.xero_id for row in store.mirror(kind) if _bears_our_mark(row)]
            found.unclaimed[kind] = len(set(ours) - store.ids_by_xero_id(kind, ours).keys() - kept)


def _under_other_code(line: Change, items: Mapping[tuple[str, str], MirrorRecord]) -> Change:
    """Return a line for a new Item as one for the Item that Xero has: its SKU was changed since it got its code."""
    row = items.get((line.record.name, str(line.record.description))) if isinstance(line.record, Item) else None
    if line.action is not Action.CREATE or row is None or not isinstance(line.record, Item):
        return line
    item = line.record.model_copy(update={"code": row.natural_key})
    return build_change(Action.ADOPT, item, reason="already in Xero under an earlier SKU", xero_id=row.xero_id)


def _bears_our_mark(row: MirrorRecord) -> bool:
    """Tell whether a live record of Xero bears a mark of ours; Items and Allocations bear none."""
    marked = (
        references.is_own_contact_number(row.natural_key)
        if row.kind == Kind.CONTACT
        else references.is_own(row.reference)
    )
    return marked and row.status not in NOT_LIVE
