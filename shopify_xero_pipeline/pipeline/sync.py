"""The sync service: what one run does with its connections: read, plan, load and reconcile days.

The rooms meet here and nowhere else. No accounting, no comparison and no protocol belongs here, only the order of
things: cheap answers first (a day in which nothing changed costs no call to Xero), Xero looked at again before
anything is written. Knows nothing of Dagster.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TypeVar

from shopify_xero_pipeline.books.outcome import has_activity_since
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.books.tax_usage import tax_usage
from shopify_xero_pipeline.changes import desired_state
from shopify_xero_pipeline.changes.decisions import with_decisions
from shopify_xero_pipeline.changes.held_orders import held_orders
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.order_books_cache import OrderBooksCache
from shopify_xero_pipeline.changes.plan import has_conflicts, has_writes, plan_contacts, plan_orders, plan_records
from shopify_xero_pipeline.changes.posted_records import posted_records_by_order
from shopify_xero_pipeline.changes.unmapped_posted import include_unmapped_posted
from shopify_xero_pipeline.clock import is_recent
from shopify_xero_pipeline.loading.load_report import COUNTED_OUTCOMES, LoadResult
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import day_issues, pending_transactions, webhook_hints
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota, daily_quota
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership
from shopify_xero_pipeline.pipeline.settings_review import FORCE_REFRESH, ORGANISATION_MAX_AGE, SettingsReview
from shopify_xero_pipeline.reconciliation.comparison import (
    DayReconciliation,
    ReconciliationInputs,
    reconcile_day,
    without_moved_orders,
)
from shopify_xero_pipeline.reconciliation.disagreements import Disagreement, with_undecided
from shopify_xero_pipeline.reconciliation.gift_cards import LiabilityAccount
from shopify_xero_pipeline.reconciliation.mapping_integrity import violations
from shopify_xero_pipeline.reconciliation.months import Month, build_month
from shopify_xero_pipeline.reconciliation.movements import AccountNames, account_names
from shopify_xero_pipeline.reconciliation.shopify_movements import movements_by_order
from shopify_xero_pipeline.shopify.models import ChangedOrder, Customer, Node, Order, Product
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.state.store import NOT_YET_WRITTEN
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind

MIRROR_MAX_AGE = timedelta(minutes=1)
"""The plans of one sync follow each other: what one of them has just looked at, the next need not look at again."""

DRIFT_CHECK_INTERVAL = timedelta(days=1)
PURGE_INTERVAL, LAST_PURGE_KEY = timedelta(days=1), "payloads.last_purge"
PENDING_KEY = "pending"
RECONCILIATION_KEY = "reconciliation"
READ_UP_TO_KEY, RECONCILED_UP_TO_KEY = "orders_read_up_to", "reconciled_up_to"
DISAGREEMENTS_STORED_KEY = "disagreements.stored"
LAST_WRITE_KEY, LAST_READBACK_KEY = "write.last_batch", "write.last_readback"
DOCUMENTS = (Kind.INVOICE, Kind.CREDIT_NOTE)
ORDER_KINDS = (*DOCUMENTS, Kind.PAYMENT)
COMPANION_KINDS = {Kind.PAYMENT: (Kind.PAYMENT, Kind.ALLOCATION)}
LISTING_KIND = {Kind.ITEM: Kind.ITEM, Kind.ALLOCATION: Kind.CREDIT_NOTE}
N = TypeVar("N", bound=Node)


class SyncService:
    """Reads, plans, loads and reconciles days.

    Args:
        connections: of the run; whoever opened them closes them.
    """

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._unmapped: Sequence[MirrorRecord] = ()
        self._refreshed_at: dict[Kind, float] = {}  # by `Clock.elapsed`; cleared by the reconciliation
        self._reviewed_days: set[date] = set()

    @cached_property
    def _books_cache(self) -> OrderBooksCache:
        return OrderBooksCache(self.connections.policy, self.connections.shop_handle)

    @cached_property
    def settings_review(self) -> SettingsReview:
        """The settings examined, and what was said of them in this run."""
        return SettingsReview(self.connections)

    def read_customers(self, days: Sequence[date]) -> dict[date, list[Customer]]:
        """Return the customers last changed on each day; redacted ones are empty but for their id."""
        with self._log_work("read", "customer", days) as told:
            redacted = self.connections.store.redacted_customers()
            found = [
                customer.redacted_if(redacted)
                for customer in self.connections.reader.customers(*self._time_window(days))
            ]
            told["rows"] = len(found)
        return self._split_by_day(days, found, lambda customer: customer.updated_at)

    def read_products(self, days: Sequence[date]) -> dict[date, list[Product]]:
        """Return the products last changed on each day."""
        with self._log_work("read", "product", days) as told:
            found = self.connections.reader.products(*self._time_window(days))
            told["rows"] = len(found)
        return self._split_by_day(days, found, lambda product: product.updated_at)

    def read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders placed on each day, with their whole histories.

        The start date also holds the orders from before it that were changed or paid on or after it (docs/books.md
        §10).
        """
        with self._log_work("read", "order", days) as told:
            read_at = self.connections.reader.time()
            found = self.connections.reader.orders(*self._time_window(days))
            opening = self._opening_orders() if self.connections.policy.start_date in days else []
            listed = [*opening, *found]
            redacted = self.connections.store.redacted_customers()
            known = [
                order.redacted_if(redacted) for order in (*listed, *self.record_ownership.unlisted_orders(days, listed))
            ]
            told["rows"] = len(known)
            self._record_read(days, read_at)
        return self._split_by_day(days, known, lambda order: max(order.processed_at, self._first_instant))

    def newest_orders(self, limit: int) -> list[Order]:
        """Return the newest orders of these books, at most a page, whatever day they are of."""
        return [
            order
            for order in self.connections.shop_reader.newest_orders(limit)
            if order.processed_at >= self._first_instant
        ]

    @cached_property
    def record_ownership(self) -> RecordOwnership:
        """Which order each record belongs to."""
        return RecordOwnership(self.connections, self.day_of, self._drop_reconciliations)

    def day_of(self, order: ChangedOrder) -> date:
        """Return the day an order belongs to; those from before the start date are with that."""
        return self._day_of_instant(max(order.processed_at, self._first_instant))

    def days(self) -> list[date]:
        """Return the days of the books, from the start date to the one in progress."""
        start = self.connections.policy.start_date
        return [start + timedelta(days=n) for n in range((self.connections.today() - start).days + 1)]

    def last_reconciled_at(self, days: Iterable[date]) -> dict[date, datetime]:
        """Return when each day was last compared, by our clock; days that never were are left out."""
        found = {day: self.connections.store.get_value(f"{RECONCILIATION_KEY}.{day}") for day in days}
        return {day: known[1] for day, known in found.items() if known is not None}

    def reconciled_up_to(self, days: Iterable[date]) -> dict[date, datetime]:
        """Return up to when, by Shopify's clock, each day's orders were read that were last compared.

        Days that never were, or of which Shopify did not state the time, are left out.
        """
        found = {day: self.connections.store.get_value(f"{RECONCILED_UP_TO_KEY}.{day}") for day in days}
        return {day: datetime.fromisoformat(known[0]) for day, known in found.items() if known is not None}

    def _record_read(self, days: Sequence[date], read_at: datetime | None) -> None:
        """Keep up to when the orders of days were read; without a time they count as never read."""
        text = read_at.isoformat() if read_at is not None else ""
        for day in days:
            self.connections.store.put_value(f"{READ_UP_TO_KEY}.{day}", text)

    def pending_by_order(self) -> dict[str, list[str]]:
        """Return the transactions that were pending when their day was last compared, by order; digits of their ids."""
        months = {f"{day:%Y-%m}" for day in self.days()}
        return {
            order: some
            for month in months
            for kept in self._pending_of_month(month).values()
            for order, some in kept.items()
        }

    def _pending_of_month(self, month: str) -> pending_transactions.PendingByDay:
        known = self.connections.store.get_value(f"{PENDING_KEY}.{month}")
        return pending_transactions.load_pending(known[0]) if known is not None else {}

    def plan_contacts(
        self, customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Contacts."""
        contacts = desired_state.desired_contacts(customers, orders, self.connections.policy)
        adopt = self.connections.policy.contacts.adopt_by_email

        def plan() -> list[ChangeSet]:
            return plan_contacts(contacts, self._known_records(Kind.CONTACT), adopt=adopt, restore=self._restores_xero)

        with self._log_work("plan", Kind.CONTACT, [*customers, *orders]):
            self._review_settings(orders)
            return self._planned(self._plan_then_refresh_if_needed((Kind.CONTACT,), plan))

    def plan_items(
        self, products: Mapping[date, Sequence[Product]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Items."""

        def plan() -> list[ChangeSet]:
            known, base = self._known_records(Kind.ITEM), self.connections.organisation().base_currency
            shop = self.connections.shop_currency()
            items = desired_state.desired_items(products, orders, shop_currency=shop, base_currency=base, known=known)
            return plan_records(Kind.ITEM, items, known, restore=self._restores_xero)

        with self._log_work("plan", Kind.ITEM, [*products, *orders]):
            self._review_settings(orders)
            return self._planned(self._plan_then_refresh_if_needed((Kind.ITEM,), plan))

    def plan_orders(
        self, orders: Mapping[date, Sequence[Order]], kinds: Sequence[Kind] = ORDER_KINDS
    ) -> list[ChangeSet]:
        """Return the change-sets of Invoices, Credit Notes and Payments (with Allocations), planned in one pass.

        Args:
            orders: by day.
            kinds: those that are wanted.
        """
        posted: set[str] = set()

        def plan() -> list[ChangeSet]:
            books_by_day = self.build_order_books(orders)
            books = [order for day in books_by_day.values() for order in day]
            posted.update(order.order_id for order in books if order.outcome is Outcome.POST)
            contacts, held = self._known_records(Kind.CONTACT), self._held_orders(books)
            return [
                change_set
                for kind in kinds
                for change_set in plan_orders(kind, books_by_day, self._known_records(kind), contacts, held)
            ]

        with self._log_work("plan", " and ".join(kinds), [*orders]):
            self._review_settings(orders)
            return self._planned(self._plan_then_refresh_if_needed((Kind.CONTACT, *ORDER_KINDS), plan), posted)

    def _planned(self, plans: list[ChangeSet], posted: Collection[str] = ()) -> list[ChangeSet]:
        """Keep what plans hold back, for those who look later; return them."""
        day_issues.store_held_lines(self.connections.store, plans, posted)
        return plans

    def _decided(self, plans: list[ChangeSet]) -> list[ChangeSet]:
        """Return plans without the conflicts that a person decided about."""
        return with_decisions(plans, day_issues.decisions(self.connections.store)) if has_conflicts(plans) else plans

    def build_order_books(self, orders: Mapping[date, Sequence[Order]]) -> dict[date, list[OrderBooks]]:
        """Return the books of each day's orders, given what is posted of them; cached for the run."""
        ids = [order.legacy_id for found in orders.values() for order in found]
        ledgers = posted_records_by_order(
            self.connections.store.mapped_of_orders(ids), self.connections.store.frozen_of_orders(ids)
        )
        documents = [row for kind in DOCUMENTS for row in self.connections.store.mirror(kind)]
        self._unmapped = unmapped = self.connections.store.unmapped_mirror((*DOCUMENTS, *COMPANION_KINDS[Kind.PAYMENT]))
        if unmapped:
            contacts = {row.xero_id: row.natural_key for row in self.connections.store.mirror(Kind.CONTACT)}
            ledgers = include_unmapped_posted(ledgers, set(ids), unmapped, contacts)
        self._books_cache.keep_only(ids)
        return desired_state.desired_order_books(
            orders,
            self.connections.policy,
            self.connections.organisation(),
            ledgers,
            documents,
            self.connections.shop_handle,
            self._books_cache,
        )

    def load(
        self, change_sets: Sequence[ChangeSet], run_id: str, *, respect_retry_schedule: bool = False
    ) -> dict[date, list[LoadResult]]:
        """Carry change-sets out and return, by day, what became of each record; see `Loader.load`."""
        results: dict[date, list[LoadResult]] = {change_set.day: [] for change_set in change_sets}
        with self._log_work("sync", " and ".join(dict.fromkeys(one.kind for one in change_sets)), [*results]) as told:
            self.connections.organisation(
                FORCE_REFRESH if self.connections.unfinished_token_refresh() is not None else None
            )  # a call finishes it
            loader = Loader(
                self.connections.xero_client, self.connections.store, self.connections.clock, self.connections.rng
            )
            loaded = loader.load(change_sets, run_id, respect_retry_schedule=respect_retry_schedule)
            told |= {"calls": loaded.calls} | {outcome.value: loaded.count(outcome) for outcome in COUNTED_OUTCOMES}
        if loaded.calls:
            self.connections.store.put_value(LAST_WRITE_KEY, f"batch {self.connections.store.journal.last_batch()}")
        for result in loaded.results:
            results[result.day].append(result)
        self._purge_expired_payloads()
        return results

    def reconcile(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        """Return each day's three columns; Xero is read again if anything was written since it was last read."""
        with self._log_work("reconciliation", "order", [*orders]) as told:
            days = self._compare_days(orders)
            self._refreshed_at.clear()
            told["orders"] = sum(len(day.rows) for day in days)
            told["unequal"] = sum(len(day.unequal) for day in days)
        return days

    def _compare_days(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        kinds = (*DOCUMENTS, Kind.PAYMENT)
        self._read_back(kinds, again=any(one.is_open for one in self.record_ownership.orphans(orders)))
        ids = [order.legacy_id for found in orders.values() for order in found]
        mirror = {kind: self.connections.store.mirror(kind) for kind in kinds}
        under_way, kept, organisation = (
            self.connections.store.frozen_of_orders(ids),
            self.build_order_books(orders),
            self.connections.organisation(),
        )
        parts = ParentIds(
            self.connections.store, [one for some in kept.values() for books in some for one in books.documents]
        )
        evidence = ReconciliationInputs(
            self.connections.store.mapped_of_orders(ids),
            mirror,
            self.connections.store.retry_queue.of_orders(ids),
            under_way,
            contacts=parts.contacts(),
            item_codes=parts.item_codes(),
            held=[line for lines in day_issues.held_lines(self.connections.store).values() for line in lines],
            unwritten=self.connections.store.journal.in_state(*NOT_YET_WRITTEN),
        )
        chart, days = account_names(self.connections.policy, organisation), []
        for day, books in sorted(kept.items()):
            moved = movements_by_order(orders[day], books, self.connections.policy, organisation, chart)
            compared = reconcile_day(day, books, evidence, moved, chart)
            days.append(compared.model_copy(update={"taxes": tax_usage(orders[day])}))
        self._store_reconciliations(days)
        self._record_pending_transactions(orders)
        self.record_ownership.record_orphans(orders, kept, self._unmapped)
        return self._with_orphans(days)

    def _store_reconciliations(self, days: Iterable[DayReconciliation]) -> None:
        """Keep each day as it was compared, in one transaction with whether it disagrees and how far it was read."""
        for day in days:
            read = self.connections.store.get_value(f"{READ_UP_TO_KEY}.{day.day}")
            compared = {f"{RECONCILED_UP_TO_KEY}.{day.day}": read[0]} if read is not None and read[0] else {}
            self.connections.store.put_values(
                {f"{RECONCILIATION_KEY}.{day.day}": day.model_dump_json(), **day_issues.issue_entry(day), **compared}
            )

    def _drop_reconciliations(self, days: Iterable[date]) -> None:
        """Keep what was compared of days no longer, as it does not hold any more."""
        names = [name for day in days for name in (f"{RECONCILIATION_KEY}.{day}", day_issues.issue_key(day))]
        self.connections.store.put_values(dict.fromkeys(names))

    def disagreements(self) -> list[Disagreement]:
        """Return what is wrong with each day of the books as it was last compared, oldest first; no other day is read.

        The days of a store from before these notes were kept are read once.
        """
        if self.connections.store.get_value(DISAGREEMENTS_STORED_KEY) is None:
            notes = {
                name: text
                for day in self.stored_reconciliations(self.days())
                for name, text in day_issues.issue_entry(day).items()
            }
            self.connections.store.put_values({**notes, DISAGREEMENTS_STORED_KEY: "yes"})
        start, today = self.connections.policy.start_date, self.connections.today()
        found = {
            day: one
            for day, one in day_issues.days_in_disagreement(self.connections.store).items()
            if start <= day <= today
        }
        return with_undecided(found, self.record_ownership.orphans())

    def _record_pending_transactions(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Keep which money of these days is on its way, so that somebody asks what becomes of it; a text for a month.

        The pool lets one run at a time do so.
        """
        for month in sorted({f"{day:%Y-%m}" for day in orders}):
            known = self._pending_of_month(month)
            found = pending_transactions.merge_pending(
                known, {day: some for day, some in orders.items() if f"{day:%Y-%m}" == month}
            )
            if found != known:
                self.connections.store.put_value(f"{PENDING_KEY}.{month}", pending_transactions.dump_pending(found))

    def stored_reconciliations(self, days: Iterable[date]) -> list[DayReconciliation]:
        """Return the three columns of days as they were last compared; days never compared are left out."""
        found = [self.connections.store.get_value(f"{RECONCILIATION_KEY}.{day}") for day in days]
        compared = [(DayReconciliation.model_validate_json(one[0]), one[1]) for one in found if one is not None]
        return self._with_orphans(without_moved_orders(compared))

    def _with_orphans(self, found: Sequence[DayReconciliation]) -> list[DayReconciliation]:
        """Return compared days with the orphans as they stand now: a decision counts at once."""
        orphans = self.record_ownership.orphans({day.day for day in found}) if found else []
        by_day = {day.day: tuple(one for one in orphans if one.day == day.day) for day in found}
        return [day.model_copy(update={"orphans": by_day[day.day]}) for day in found]

    def month_statement(self, first: date) -> Month:
        """Return a month (by its first day) from its days as they were last compared; nobody is called."""
        start, today, organisation = (
            self.connections.policy.start_date,
            self.connections.today(),
            self.connections.cached_organisation(),
        )
        days = self.stored_reconciliations(start + timedelta(days=n) for n in range((today - start).days + 1))
        cards = self._gift_cards(organisation.base_currency if organisation is not None else "")
        return build_month(first, days, (start, today), cards, self.account_names, self.record_ownership.orphans())

    @property
    def account_names(self) -> AccountNames:
        """The chart of accounts; without names if Xero's settings were never read."""
        return account_names(self.connections.policy, self.connections.cached_organisation())

    def _gift_cards(self, base_currency: str) -> LiabilityAccount:
        """Return what Xero shows of the gift-card liability; rows that do not name the account are not looked into."""
        code, kinds = self.connections.policy.accounts.gift_cards, (*DOCUMENTS, Kind.PAYMENT)
        shown = [row for kind in kinds for row in self.connections.store.mirror(kind) if f'"{code}"' in row.payload]
        mapped = {
            xero_id
            for kind in kinds
            for xero_id in self.connections.store.ids_by_xero_id(kind, [row.xero_id for row in shown])
        }
        return LiabilityAccount(code, shown, mapped, base_currency)

    def daily_quota(self) -> DailyQuota:
        """Return what is left of Xero's day."""
        return daily_quota(self.connections.store)

    def unfinished_days(self) -> set[date]:
        """Return the days with work left that may succeed by itself."""
        return self.connections.store.unfinished_days() | {*self.record_ownership.days_to_reconcile(decided=False)}

    def mapping_violations(self) -> dict[str, list[str]]:
        """Return what is wrong with the mapping, by the name of the check."""
        return violations(row for kind in Kind for row in self.connections.store.mapped(kind).values())

    def _log_work(
        self, name: str, entity_type: str, days: Collection[date]
    ) -> AbstractContextManager[dict[str, object]]:
        """Tell the log of a piece of work on days."""
        return events.log_operation(
            self.connections.clock, name, entity_type=str(entity_type), partition=events.format_day_range(days)
        )

    def _purge_expired_payloads(self) -> None:
        """Once a day, empty what is no longer needed of the payloads of settled writes."""
        known, now = self.connections.store.get_value(LAST_PURGE_KEY), self.connections.clock.now()
        if known is None or not is_recent(known[1], now, PURGE_INTERVAL):
            count = self.connections.store.forget_payloads(now - self.connections.payload_retention)
            self.connections.store.put_value(LAST_PURGE_KEY, f"{count} payloads")

    @property
    def _restores_xero(self) -> bool:
        return self.connections.policy.on_conflict == "restore"

    def _read_back(self, kinds: Sequence[Kind], *, again: bool = False) -> None:
        """Sweep the documents and the money if anything was written since they were last read back.

        With `again` also if nothing was: a person may have voided records in Xero that have no order.
        """
        written, seen = (
            self.connections.store.get_value(LAST_WRITE_KEY),
            self.connections.store.get_value(LAST_READBACK_KEY),
        )
        if written is not None and (again or seen is None or seen[0] != written[0]):
            self.connections.organisation()
            Mirror(self.connections.xero_client, self.connections.store, self.connections.clock).refresh(
                kinds, FORCE_REFRESH
            )
            self.connections.store.put_value(LAST_READBACK_KEY, written[0])

    @property
    def _first_instant(self) -> datetime:
        return datetime.combine(self.connections.policy.start_date, time(), self.connections.zone)

    def _opening_orders(self) -> list[Order]:
        changed = [
            order.id
            for order in self.connections.reader.changed_orders(self._first_instant)
            if order.processed_at < self._first_instant
        ]
        return [
            order
            for order in self.connections.reader.orders_by_id(changed)
            if has_activity_since(order, self._first_instant)
        ]

    def _time_window(self, days: Sequence[date]) -> tuple[datetime, datetime]:
        first, after = min(days), max(days) + timedelta(days=1)
        return datetime.combine(first, time(), self.connections.zone), datetime.combine(
            after, time(), self.connections.zone
        )

    def _day_of_instant(self, instant: datetime) -> date:
        return instant.astimezone(self.connections.zone).date()

    def _split_by_day(
        self, days: Sequence[date], found: Iterable[N], when: Callable[[N], datetime]
    ) -> dict[date, list[N]]:
        by_day: dict[date, list[N]] = defaultdict(list, {day: [] for day in days})
        for node in found:
            by_day[self._day_of_instant(when(node))].append(node)
        return {day: by_day[day] for day in days}

    def _held_orders(self, orders: Sequence[OrderBooks]) -> dict[str, str]:
        """Return why nothing more is written of orders, by order id; asked for by key, whatever the books hold."""
        rows = [
            row
            for row in self.connections.store.mapped_of_orders([one.order_id for one in orders])
            if row.kind in DOCUMENTS
        ]
        shown: dict[str, MirrorRecord] = {}
        for kind in DOCUMENTS:
            shown |= self.connections.store.mirror_by_xero_id(kind, [row.xero_id for row in rows if row.kind == kind])
        contacts = ParentIds(
            self.connections.store, [document for one in orders for document in one.documents]
        ).contacts()
        mapped = {row.shopify_id: row for row in rows}
        return held_orders(orders, mapped, shown, contacts, day_issues.decisions(self.connections.store))

    def _known_records(self, kind: Kind) -> KnownRecords:
        kinds = COMPANION_KINDS.get(kind, (kind,))
        mapped = {key: row for one in kinds for key, row in self.connections.store.mapped(one).items()}
        listed = [
            one for one in kinds if one in LISTING_KIND and self.connections.store.mirror_swept_at(LISTING_KIND[one])
        ]
        return KnownRecords(mapped, [row for one in kinds for row in self.connections.store.mirror(one)], listed)

    def _review_settings(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Examine the settings if they changed, and say so if most of these orders would be blocked by them.

        Raises:
            BooksProblem: the settings would book money wrongly.
        """
        self.settings_review.check_settings()
        if self._reviewed_days >= {*orders}:
            return
        self._reviewed_days.update(orders)
        kept = self.build_order_books(orders)
        self.settings_review.check_orders(
            (books for day in kept.values() for books in day), events.format_day_range(orders)
        )

    def _plan_then_refresh_if_needed(
        self, kinds: tuple[Kind, ...], plan: Callable[[], list[ChangeSet]]
    ) -> list[ChangeSet]:
        """Plan on what is known; if that would write anything, or Xero may show something new, look and plan again.

        Whatever is written leans on what Xero holds now, so each sync looks at it itself. So it does where both sides
        disagree: whoever has just put Xero right, as the remedy says, runs the day again at once. What a person decided
        about is no disagreement.
        """
        plans, told = self._decided(plan()), bool(webhook_hints.changed_in_xero(self.connections.store, kinds))
        if told or has_writes(plans) or has_conflicts(plans) or self._is_drift_check_due(kinds):
            self._refresh_mirror(kinds)
            plans = self._decided(plan())
        return plans

    def _is_drift_check_due(self, kinds: tuple[Kind, ...]) -> bool:
        """Tell whether what people did in Xero to records of ours was not looked for lately (docs/books.md §11)."""
        swept = [at for kind in kinds if (at := self.connections.store.mirror_swept_at(kind)) is not None]
        return not all(is_recent(at, self.connections.clock.now(), DRIFT_CHECK_INTERVAL) for at in swept)

    def _refresh_mirror(self, kinds: tuple[Kind, ...]) -> None:
        self.connections.organisation(max_age=ORGANISATION_MAX_AGE)
        self.settings_review.check_settings()
        now = self.connections.clock.elapsed()
        seen = {kind for kind, at in self._refreshed_at.items() if now - at < MIRROR_MAX_AGE.total_seconds()}
        Mirror(self.connections.xero_client, self.connections.store, self.connections.clock).refresh(
            [kind for kind in kinds if kind not in seen], FORCE_REFRESH
        )
        self._refreshed_at |= {kind: now for kind in kinds if kind not in seen}
