"""The sync service, which reads, plans, loads and reconciles days with the connections of one run.

It is the only place where the rooms meet. This module only has the order of steps, and no accounting, comparison or
protocol: it plans from stored data first, so that an unchanged day costs no call to Xero, and refreshes the mirror
before a plan that writes. It is free of Dagster.
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
"""Age up to which the plans of one sync share a refresh of the mirror."""

DRIFT_CHECK_INTERVAL = timedelta(days=1)
"""Longest time without a sweep for changes by people (docs/books.md §11)."""

PURGE_INTERVAL, LAST_PURGE_KEY = timedelta(days=1), "payloads.last_purge"
PENDING_KEY = "pending"
RECONCILIATION_KEY = "reconciliation"
READ_UP_TO_KEY, RECONCILED_UP_TO_KEY = "orders_read_up_to", "reconciled_up_to"
DISAGREEMENTS_STORED_KEY = "disagreements.stored"
LAST_WRITE_KEY, LAST_READBACK_KEY = "write.last_batch", "write.last_readback"
DOCUMENTS = (Kind.INVOICE, Kind.CREDIT_NOTE)
ORDER_KINDS = (*DOCUMENTS, Kind.PAYMENT)
COMPANION_KINDS = {Kind.PAYMENT: (Kind.PAYMENT, Kind.ALLOCATION)}
"""Kinds of the records in one plan, if they are more than its own kind."""

LISTING_KIND = {Kind.ITEM: Kind.ITEM, Kind.ALLOCATION: Kind.CREDIT_NOTE}
"""Kinds whose sweep lists all live records of a kind, so that an absent record is deleted."""

N = TypeVar("N", bound=Node)


class SyncService:
    """Reads, plans, loads and reconciles days.

    Args:
        connections: the connections of the run; the caller closes them.
    """

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._unmapped: Sequence[MirrorRecord] = ()
        self._refreshed_at: dict[Kind, float] = {}  # seconds of `Clock.elapsed`; the reconciliation clears it
        self._reviewed_days: set[date] = set()

    @cached_property
    def _books_cache(self) -> OrderBooksCache:
        return OrderBooksCache(self.connections.policy, self.connections.shop_handle)

    @cached_property
    def settings_review(self) -> SettingsReview:
        """The settings review of this run, with its warnings."""
        return SettingsReview(self.connections)

    def read_customers(self, days: Sequence[date]) -> dict[date, list[Customer]]:
        """Return the customers last changed on each day; redacted ones have only their id.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with self._log_work("read", "customer", days) as log_fields:
            redacted = self.connections.store.redacted_customers()
            customers = [
                customer.redacted_if(redacted)
                for customer in self.connections.reader.customers(*self._time_window(days))
            ]
            log_fields["rows"] = len(customers)
        return self._split_by_day(days, customers, lambda customer: customer.updated_at)

    def read_products(self, days: Sequence[date]) -> dict[date, list[Product]]:
        """Return the products last changed on each day.

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with self._log_work("read", "product", days) as log_fields:
            products = self.connections.reader.products(*self._time_window(days))
            log_fields["rows"] = len(products)
        return self._split_by_day(days, products, lambda product: product.updated_at)

    def read_orders(self, days: Sequence[date]) -> dict[date, list[Order]]:
        """Return the orders placed on each day, with their whole histories.

        The start date also has the earlier orders that were changed or paid on or after it (docs/books.md §10).

        Args:
            days: days in the shop's time zone.

        Raises:
            ShopifyError: Shopify could not be read.
        """
        with self._log_work("read", "order", days) as log_fields:
            read_at = self.connections.reader.time()  # before the orders, so that no later change counts as read
            placed = self.connections.reader.orders(*self._time_window(days))
            opening = self._opening_orders() if self.connections.policy.start_date in days else []
            listed = [*opening, *placed]
            redacted = self.connections.store.redacted_customers()
            orders = [
                order.redacted_if(redacted) for order in (*listed, *self.record_ownership.unlisted_orders(days, listed))
            ]
            log_fields["rows"] = len(orders)
            self._record_read(days, read_at)
        return self._split_by_day(days, orders, lambda order: max(order.processed_at, self._first_instant))

    def newest_orders(self, limit: int) -> list[Order]:
        """Return the newest orders of the books, of any day, at most `limit` and one page."""
        return [
            order
            for order in self.connections.shop_reader.newest_orders(limit)
            if order.processed_at >= self._first_instant
        ]

    @cached_property
    def record_ownership(self) -> RecordOwnership:
        """The ownership of posted records by orders, with the orphans."""
        return RecordOwnership(self.connections, self.day_of, self._drop_reconciliations)

    def day_of(self, order: ChangedOrder) -> date:
        """Return the day of an order in the shop's time zone; earlier orders belong to the start date."""
        return self._day_of_instant(max(order.processed_at, self._first_instant))

    def days(self) -> list[date]:
        """Return the days of the books, from the start date to today."""
        start = self.connections.policy.start_date
        return [start + timedelta(days=n) for n in range((self.connections.today() - start).days + 1)]

    def last_reconciled_at(self, days: Iterable[date]) -> dict[date, datetime]:
        """Return the time of each day's last reconciliation, by the local clock in UTC.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        return {day: stored_at for day, (_, stored_at) in self._values_of_days(RECONCILIATION_KEY, days).items()}

    def reconciled_up_to(self, days: Iterable[date]) -> dict[date, datetime]:
        """Return the time up to which the last reconciliation of each day has Shopify's changes, by Shopify's clock.

        Args:
            days: days of the books; those without a reconciliation or without a time from Shopify are omitted.
        """
        values = self._values_of_days(RECONCILED_UP_TO_KEY, days)
        return {day: datetime.fromisoformat(text) for day, (text, _) in values.items()}

    def _values_of_days(self, key: str, days: Iterable[date]) -> dict[date, tuple[str, datetime]]:
        """Return the stored text of each day with the time when it was stored, in the order of the days."""
        names = {day: f"{key}.{day}" for day in days}
        stored = self.connections.store.get_present(names.values())
        return {day: stored[name] for day, name in names.items() if name in stored}

    def _record_read(self, days: Sequence[date], read_at: datetime | None) -> None:
        """Store the time of the read of days' orders; without a time from Shopify, they count as never read."""
        text = read_at.isoformat() if read_at is not None else ""
        for day in days:
            self.connections.store.put_value(f"{READ_UP_TO_KEY}.{day}", text)

    def pending_by_order(self) -> dict[str, list[str]]:
        """Return the pending transactions of each order at its day's last reconciliation; digits of their ids."""
        months = {f"{day:%Y-%m}" for day in self.days()}
        return {
            order_id: transaction_ids
            for month in months
            for by_order in self._pending_of_month(month).values()
            for order_id, transaction_ids in by_order.items()
        }

    def _pending_of_month(self, month: str) -> pending_transactions.PendingByDay:
        known = self.connections.store.get_value(f"{PENDING_KEY}.{month}")
        return pending_transactions.load_pending(known[0]) if known is not None else {}

    def plan_contacts(
        self, customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Contacts.

        Args:
            customers: changed customers by day.
            orders: orders by day.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """
        contacts = desired_state.desired_contacts(customers, orders, self.connections.policy)
        adopt = self.connections.policy.contacts.adopt_by_email

        def plan() -> list[ChangeSet]:
            return plan_contacts(contacts, self._known_records(Kind.CONTACT), adopt=adopt, restore=self._restores_xero)

        with self._log_work("plan", Kind.CONTACT, [*customers, *orders]):
            self._review_settings(orders)
            return self._store_held_lines(self._plan_then_refresh_if_needed((Kind.CONTACT,), plan))

    def plan_items(
        self, products: Mapping[date, Sequence[Product]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Items.

        Args:
            products: changed products by day.
            orders: orders by day.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """

        def plan() -> list[ChangeSet]:
            known, base = self._known_records(Kind.ITEM), self.connections.organisation().base_currency
            shop = self.connections.shop_currency()
            items = desired_state.desired_items(products, orders, shop_currency=shop, base_currency=base, known=known)
            return plan_records(Kind.ITEM, items, known, restore=self._restores_xero)

        with self._log_work("plan", Kind.ITEM, [*products, *orders]):
            self._review_settings(orders)
            return self._store_held_lines(self._plan_then_refresh_if_needed((Kind.ITEM,), plan))

    def plan_orders(
        self, orders: Mapping[date, Sequence[Order]], kinds: Sequence[Kind] = ORDER_KINDS
    ) -> list[ChangeSet]:
        """Return the change-sets of Invoices, Credit Notes and Payments (with Allocations), planned in one pass.

        Args:
            orders: orders by day.
            kinds: the kinds to plan.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
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
            return self._store_held_lines(self._plan_then_refresh_if_needed((Kind.CONTACT, *ORDER_KINDS), plan), posted)

    def _store_held_lines(self, plans: list[ChangeSet], posted: Collection[str] = ()) -> list[ChangeSet]:
        """Store the held lines of plans for later reports, and return the plans."""
        day_issues.store_held_lines(self.connections.store, plans, posted)
        return plans

    def _apply_decisions(self, plans: list[ChangeSet]) -> list[ChangeSet]:
        """Return plans without the conflicts that have a decision."""
        return with_decisions(plans, day_issues.decisions(self.connections.store)) if has_conflicts(plans) else plans

    def build_order_books(self, orders: Mapping[date, Sequence[Order]]) -> dict[date, list[OrderBooks]]:
        """Return the order books of each day, based on the posted records; cached for the run.

        Args:
            orders: orders by day.
        """
        ids = [order.legacy_id for day_orders in orders.values() for order in day_orders]
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
        """Write change-sets to Xero and return the result of each record by day; see `Loader.load`.

        Args:
            change_sets: the plans.
            run_id: the id of the run, stored with each operation.
            respect_retry_schedule: skip failed records until their next attempt.

        Raises:
            XeroError: Xero could not be reached.
        """
        results: dict[date, list[LoadResult]] = {change_set.day: [] for change_set in change_sets}
        kinds = dict.fromkeys(change_set.kind for change_set in change_sets)
        with self._log_work("sync", " and ".join(kinds), [*results]) as log_fields:
            # A call completes an unfinished token refresh.
            self.connections.organisation(
                FORCE_REFRESH if self.connections.unfinished_token_refresh() is not None else None
            )
            loader = Loader(
                self.connections.xero_client, self.connections.store, self.connections.clock, self.connections.rng
            )
            loaded = loader.load(change_sets, run_id, respect_retry_schedule=respect_retry_schedule)
            log_fields |= {"calls": loaded.calls}
            log_fields |= {outcome.value: loaded.count(outcome) for outcome in COUNTED_OUTCOMES}
        if loaded.calls:
            self.connections.store.put_value(LAST_WRITE_KEY, f"batch {self.connections.store.journal.last_batch()}")
        for result in loaded.results:
            results[result.day].append(result)
        self._purge_expired_payloads()
        return results

    def reconcile(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        """Return each day's three columns, after a read-back from Xero if a load has written since the last one.

        Args:
            orders: orders by day.

        Raises:
            ShopifyError: Shopify could not be read.
            XeroError: Xero could not be read.
        """
        with self._log_work("reconciliation", "order", [*orders]) as log_fields:
            days = self._compare_days(orders)
            self._refreshed_at.clear()
            log_fields["orders"] = sum(len(day.rows) for day in days)
            log_fields["unequal"] = sum(len(day.unequal) for day in days)
        return days

    def _compare_days(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        kinds = (*DOCUMENTS, Kind.PAYMENT)
        self._read_back(kinds, always=any(orphan.is_open for orphan in self.record_ownership.orphans(orders)))
        ids = [order.legacy_id for day_orders in orders.values() for order in day_orders]
        mirror = {kind: self.connections.store.mirror(kind) for kind in kinds}
        in_batches = self.connections.store.frozen_of_orders(ids)
        books_by_day, organisation = self.build_order_books(orders), self.connections.organisation()
        parent_ids = ParentIds(
            self.connections.store,
            [document for books in books_by_day.values() for order in books for document in order.documents],
        )
        inputs = ReconciliationInputs(
            self.connections.store.mapped_of_orders(ids),
            mirror,
            self.connections.store.retry_queue.of_orders(ids),
            in_batches,
            contacts=parent_ids.contacts(),
            item_codes=parent_ids.item_codes(),
            held=[line for lines in day_issues.held_lines(self.connections.store).values() for line in lines],
            unwritten=self.connections.store.journal.in_state(*NOT_YET_WRITTEN),
        )
        names, days = account_names(self.connections.policy, organisation), []
        for day, books in sorted(books_by_day.items()):
            movements = movements_by_order(orders[day], books, self.connections.policy, organisation, names)
            reconciliation = reconcile_day(day, books, inputs, movements, names)
            days.append(reconciliation.model_copy(update={"taxes": tax_usage(orders[day])}))
        self._store_reconciliations(days)
        self._record_pending_transactions(orders)
        self.record_ownership.record_orphans(orders, books_by_day, self._unmapped)
        return self._with_orphans(days)

    def _store_reconciliations(self, days: Sequence[DayReconciliation]) -> None:
        """Store each day's reconciliation, its disagreement and the time of its read in one transaction."""
        read_up_to = self._values_of_days(READ_UP_TO_KEY, [day.day for day in days])
        for day in days:
            text, _ = read_up_to.get(day.day, ("", None))
            up_to = {f"{RECONCILED_UP_TO_KEY}.{day.day}": text} if text else {}
            self.connections.store.put_values(
                {f"{RECONCILIATION_KEY}.{day.day}": day.model_dump_json(), **day_issues.issue_entry(day), **up_to}
            )

    def _drop_reconciliations(self, days: Iterable[date]) -> None:
        """Delete the reconciliations of days, because they are no longer valid."""
        keys = [key for day in days for key in (f"{RECONCILIATION_KEY}.{day}", day_issues.issue_key(day))]
        self.connections.store.put_values(dict.fromkeys(keys))

    def disagreements(self) -> list[Disagreement]:
        """Return the days whose last reconciliation disagrees, oldest first, without a read of the other days.

        The first call on a store of an earlier version reads all days once, because it has no summaries.
        """
        if self.connections.store.get_value(DISAGREEMENTS_STORED_KEY) is None:
            summaries = {
                key: text
                for day in self.stored_reconciliations(self.days())
                for key, text in day_issues.issue_entry(day).items()
            }
            self.connections.store.put_values({**summaries, DISAGREEMENTS_STORED_KEY: "yes"})
        start, today = self.connections.policy.start_date, self.connections.today()
        disagreements = {
            day: disagreement
            for day, disagreement in day_issues.days_in_disagreement(self.connections.store).items()
            if start <= day <= today
        }
        return with_undecided(disagreements, self.record_ownership.orphans())

    def _record_pending_transactions(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Store the pending transactions of these days, one text per month, for the change detection.

        The text is read and written without a lock, because Dagster's pool admits one run at a time.
        """
        for month in sorted({f"{day:%Y-%m}" for day in orders}):
            known = self._pending_of_month(month)
            pending = pending_transactions.merge_pending(
                known, {day: day_orders for day, day_orders in orders.items() if f"{day:%Y-%m}" == month}
            )
            if pending != known:
                self.connections.store.put_value(f"{PENDING_KEY}.{month}", pending_transactions.dump_pending(pending))

    def stored_reconciliations(self, days: Iterable[date]) -> list[DayReconciliation]:
        """Return the last reconciliation of each day.

        Args:
            days: days of the books; those without a reconciliation are omitted.
        """
        values = self._values_of_days(RECONCILIATION_KEY, days).values()
        reconciliations = [(DayReconciliation.model_validate_json(text), stored_at) for text, stored_at in values]
        return self._with_orphans(without_moved_orders(reconciliations))

    def _with_orphans(self, days: Sequence[DayReconciliation]) -> list[DayReconciliation]:
        """Return days with their present orphans, so that a decision takes effect immediately."""
        orphans = self.record_ownership.orphans({day.day for day in days}) if days else []
        by_day = {day.day: tuple(orphan for orphan in orphans if orphan.day == day.day) for day in days}
        return [day.model_copy(update={"orphans": by_day[day.day]}) for day in days]

    def month_statement(self, first: date) -> Month:
        """Return the statement of a month, given by its first day, from the stored reconciliations, without a call."""
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
        """The names of the chart of accounts; empty before the first read of Xero's settings."""
        return account_names(self.connections.policy, self.connections.cached_organisation())

    def _gift_cards(self, base_currency: str) -> LiabilityAccount:
        """Return the records of the gift-card liability in Xero, preselected by the account code in their payload."""
        code, kinds = self.connections.policy.accounts.gift_cards, (*DOCUMENTS, Kind.PAYMENT)
        rows = [row for kind in kinds for row in self.connections.store.mirror(kind) if f'"{code}"' in row.payload]
        mapped = {
            xero_id
            for kind in kinds
            for xero_id in self.connections.store.ids_by_xero_id(kind, [row.xero_id for row in rows])
        }
        return LiabilityAccount(code, rows, mapped, base_currency)

    def daily_quota(self) -> DailyQuota:
        """Return Xero's daily quota."""
        return daily_quota(self.connections.store)

    def unfinished_days(self) -> set[date]:
        """Return the days with unfinished work that a retry may complete."""
        return self.connections.store.unfinished_days() | {*self.record_ownership.days_to_reconcile(decided=False)}

    def mapping_violations(self) -> dict[str, list[str]]:
        """Return the violations of the mapping's integrity by the name of the check."""
        return violations(row for kind in Kind for row in self.connections.store.mapped(kind).values())

    def _log_work(
        self, name: str, entity_type: str, days: Collection[date]
    ) -> AbstractContextManager[dict[str, object]]:
        """Log an operation on days; the context value takes more fields."""
        return events.log_operation(
            self.connections.clock, name, entity_type=str(entity_type), partition=events.format_day_range(days)
        )

    def _purge_expired_payloads(self) -> None:
        """Empty payloads of settled writes after their retention, at most once per `PURGE_INTERVAL`."""
        known, now = self.connections.store.get_value(LAST_PURGE_KEY), self.connections.clock.now()
        if known is None or not is_recent(known[1], now, PURGE_INTERVAL):
            count = self.connections.store.forget_payloads(now - self.connections.payload_retention)
            self.connections.store.put_value(LAST_PURGE_KEY, f"{count} payloads")

    @property
    def _restores_xero(self) -> bool:
        return self.connections.policy.on_conflict == "restore"

    def _read_back(self, kinds: Sequence[Kind], *, always: bool = False) -> None:
        """Sweep documents and payments if a load has written since the last read-back.

        With `always`, sweep them after any earlier write, because a person may have voided orphaned records in Xero.
        """
        last_write = self.connections.store.get_value(LAST_WRITE_KEY)
        last_readback = self.connections.store.get_value(LAST_READBACK_KEY)
        if last_write is not None and (always or last_readback is None or last_readback[0] != last_write[0]):
            self.connections.organisation()
            Mirror(self.connections.xero_client, self.connections.store, self.connections.clock).refresh(
                kinds, FORCE_REFRESH
            )
            self.connections.store.put_value(LAST_READBACK_KEY, last_write[0])

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
        self, days: Sequence[date], nodes: Iterable[N], instant_of: Callable[[N], datetime]
    ) -> dict[date, list[N]]:
        by_day: dict[date, list[N]] = defaultdict(list, {day: [] for day in days})
        for node in nodes:
            by_day[self._day_of_instant(instant_of(node))].append(node)
        return {day: by_day[day] for day in days}

    def _held_orders(self, orders: Sequence[OrderBooks]) -> dict[str, str]:
        """Return the reasons why orders are held, by order id, from the mapped records of all these orders."""
        rows = [
            row
            for row in self.connections.store.mapped_of_orders([order.order_id for order in orders])
            if row.kind in DOCUMENTS
        ]
        mirrored: dict[str, MirrorRecord] = {}
        for kind in DOCUMENTS:
            mirrored |= self.connections.store.mirror_by_xero_id(
                kind, [row.xero_id for row in rows if row.kind == kind]
            )
        contacts = ParentIds(
            self.connections.store, [document for order in orders for document in order.documents]
        ).contacts()
        mapped = {row.shopify_id: row for row in rows}
        return held_orders(orders, mapped, mirrored, contacts, day_issues.decisions(self.connections.store))

    def _known_records(self, kind: Kind) -> KnownRecords:
        kinds = COMPANION_KINDS.get(kind, (kind,))
        store = self.connections.store
        mapped = {key: row for each in kinds for key, row in store.mapped(each).items()}
        listed = [each for each in kinds if each in LISTING_KIND and store.mirror_swept_at(LISTING_KIND[each])]
        return KnownRecords(mapped, [row for each in kinds for row in store.mirror(each)], listed)

    def _review_settings(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Review the settings if they changed, and warn once per day if most of its orders are blocked.

        Raises:
            PipelineError: a setting would post wrong amounts.
        """
        self.settings_review.check_settings()
        if self._reviewed_days >= {*orders}:
            return
        self._reviewed_days.update(orders)
        books = self.build_order_books(orders)
        self.settings_review.check_orders(
            (order for day in books.values() for order in day), events.format_day_range(orders)
        )

    def _plan_then_refresh_if_needed(
        self, kinds: tuple[Kind, ...], plan: Callable[[], list[ChangeSet]]
    ) -> list[ChangeSet]:
        """Return plans from the mirror, made again after a refresh if it is needed.

        The mirror is refreshed before any write, because a write must start from Xero's present state. It is refreshed
        for a conflict, because a person may have just corrected Xero as the remedy asks; decided conflicts do not
        count. It is refreshed for a webhook hint, and if the last check for drift is too old.
        """
        plans = self._apply_decisions(plan())
        has_hints = bool(webhook_hints.changed_in_xero(self.connections.store, kinds))
        if has_hints or has_writes(plans) or has_conflicts(plans) or self._is_drift_check_due(kinds):
            self._refresh_mirror(kinds)
            plans = self._apply_decisions(plan())
        return plans

    def _is_drift_check_due(self, kinds: tuple[Kind, ...]) -> bool:
        """Return whether the last sweep for changes by people is too old (docs/books.md §11)."""
        swept = [at for kind in kinds if (at := self.connections.store.mirror_swept_at(kind)) is not None]
        return not all(is_recent(at, self.connections.clock.now(), DRIFT_CHECK_INTERVAL) for at in swept)

    def _refresh_mirror(self, kinds: tuple[Kind, ...]) -> None:
        self.connections.organisation(max_age=ORGANISATION_MAX_AGE)
        self.settings_review.check_settings()
        now = self.connections.clock.elapsed()
        fresh = {kind for kind, at in self._refreshed_at.items() if now - at < MIRROR_MAX_AGE.total_seconds()}
        Mirror(self.connections.xero_client, self.connections.store, self.connections.clock).refresh(
            [kind for kind in kinds if kind not in fresh], FORCE_REFRESH
        )
        self._refreshed_at |= {kind: now for kind in kinds if kind not in fresh}
