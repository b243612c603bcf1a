"""Plans of days: from stored data first, and again from a refreshed mirror if a plan writes or may be outdated.

So an unchanged day costs no call to Xero, and each write depends on a current copy of Xero. This module only collects
the inputs of the plans and has the order of steps; the comparison is in `changes/`, the accounting in `books/`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import cached_property

from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes import desired_state
from shopify_xero_pipeline.changes.decisions import with_decisions
from shopify_xero_pipeline.changes.held_orders import held_orders
from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.order_books_cache import OrderBooksCache
from shopify_xero_pipeline.changes.plan import has_conflicts, has_writes, plan_contacts, plan_orders, plan_records
from shopify_xero_pipeline.changes.reads_before_writes import kinds_to_read
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.pipeline.connections import SETTINGS_MAX_AGE, Connections
from shopify_xero_pipeline.pipeline.mirror_refresh import MirrorRefresh
from shopify_xero_pipeline.pipeline.plan_inputs import DOCUMENTS, PlanInputs, posted_documents
from shopify_xero_pipeline.pipeline.settings_review import ORGANISATION_MAX_AGE, SettingsReview
from shopify_xero_pipeline.shopify.models import Customer, Order, Product
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import Kind

ORDER_KINDS = (*DOCUMENTS, Kind.PAYMENT)


class DayPlanner:
    """Plans days.

    Args:
        connections: the connections of the run.
        settings_review: reviews the settings before each plan.
        mirror_refresh: refreshes the mirror before a plan that writes.
    """

    def __init__(
        self, connections: Connections, settings_review: SettingsReview, mirror_refresh: MirrorRefresh
    ) -> None:
        self._connections = connections
        self._settings_review = settings_review
        self._mirror_refresh = mirror_refresh
        self._reviewed_days: set[date] = set()

    @cached_property
    def _inputs(self) -> PlanInputs:
        return PlanInputs(self._connections.store)

    @cached_property
    def _books_cache(self) -> OrderBooksCache:
        return OrderBooksCache(self._connections.policy, self._connections.shop_handle)

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
        policy = self._connections.policy
        contacts = desired_state.desired_contacts(customers, orders, policy)
        desired = [contact for day_contacts in contacts.values() for contact in day_contacts]

        def plan() -> list[ChangeSet]:
            known, adopt = self._inputs.contacts(desired), policy.contacts.adopt_by_email
            return plan_contacts(contacts, known, adopt=adopt, restore=policy.on_conflict == "restore")

        with events.log_operation(self._connections.clock, "plan", Kind.CONTACT, [*customers, *orders]):
            return self._plan_again_if_needed(plan, (Kind.CONTACT,), orders)

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
        variants = [
            variant
            for day in {*products, *orders}
            for _, variant in desired_state.variants_with_titles(products.get(day, ()), orders.get(day, ()))
        ]

        def plan() -> list[ChangeSet]:
            known, base = self._inputs.items(variants), self._connections.organisation().base_currency
            shop = self._connections.shop_currency
            items = desired_state.desired_items(products, orders, shop_currency=shop, base_currency=base, known=known)
            return plan_records(Kind.ITEM, items, known, restore=self._connections.policy.on_conflict == "restore")

        with events.log_operation(self._connections.clock, "plan", Kind.ITEM, [*products, *orders]):
            return self._plan_again_if_needed(plan, (Kind.ITEM,), orders)

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
            contacts, held = self._inputs.contacts_of_documents(books), self._held_orders(books)
            known = self._inputs.of_orders(kinds, books)
            return [
                change_set
                for kind in kinds
                for change_set in plan_orders(kind, books_by_day, known[kind], contacts, held)
            ]

        with events.log_operation(self._connections.clock, "plan", " and ".join(kinds), orders):
            return self._plan_again_if_needed(plan, (Kind.CONTACT, *ORDER_KINDS), orders, posted)

    def build_order_books(self, orders: Mapping[date, Sequence[Order]]) -> dict[date, list[OrderBooks]]:
        """Return the order books of each day, based on the posted records; cached for the run.

        Args:
            orders: orders by day.
        """
        connections = self._connections
        ids = [order.legacy_id for day_orders in orders.values() for order in day_orders]
        self._books_cache.keep_only(ids)
        return desired_state.desired_order_books(
            orders,
            connections.policy,
            connections.organisation(),
            self._inputs.posted_records(ids),
            self._inputs.documents_with_numbers,
            connections.shop_handle,
            self._books_cache,
        )

    def _plan_again_if_needed(
        self,
        plan: Callable[[], list[ChangeSet]],
        kinds: Sequence[Kind],
        orders: Mapping[date, Sequence[Order]],
        posted: Collection[str] = (),
    ) -> list[ChangeSet]:
        """Review the settings, plan, plan again after a refresh of the mirror if it is needed, and store held lines.

        Before a write the mirror is refreshed for the kinds on which it depends (`changes/reads_before_writes.py`);
        decided conflicts do not count. A plan from newer data may depend on more kinds, so the step repeats.

        Args:
            plan: makes the change-sets from the mirror.
            kinds: the kinds that it reads.
            orders: orders by day.
            posted: ids of the orders that the books want posted; `plan` adds to them.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """
        self._settings_review.check_settings()
        self._warn_of_blocked_orders(orders)
        plans, refreshed = self._apply_decisions(plan()), set[Kind]()
        is_due = self._mirror_refresh.is_due(kinds)
        while outdated := self._kinds_to_read(plans, kinds, all_kinds=is_due) - refreshed:
            self._connections.organisation(ORGANISATION_MAX_AGE, accounts_max_age=SETTINGS_MAX_AGE)
            self._settings_review.check_settings()
            self._mirror_refresh.refresh([kind for kind in kinds if kind in outdated])
            refreshed |= outdated
            plans = self._apply_decisions(plan())
        day_issues.store_held_lines(self._connections.store, plans, posted)
        return plans

    def _kinds_to_read(self, plans: Sequence[ChangeSet], kinds: Sequence[Kind], *, all_kinds: bool) -> set[Kind]:
        """Return which of the kinds of a plan are read before it writes. A kind that was never read is one of them."""
        if all_kinds:
            return {*kinds}
        store = self._connections.store
        needed = kinds_to_read(plans, posted_documents(store, plans))
        unread = {kind for kind in kinds if store.mirror_swept_at(kind) is None} if has_writes(plans) else set()
        return (needed | unread) & {*kinds}

    def _warn_of_blocked_orders(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Warn if most orders of some days are blocked, once per day."""
        if not self._reviewed_days >= {*orders}:
            self._reviewed_days.update(orders)
            books = [order for day in self.build_order_books(orders).values() for order in day]
            self._settings_review.check_orders(books, events.format_day_range(orders))

    def _apply_decisions(self, plans: list[ChangeSet]) -> list[ChangeSet]:
        """Return plans without the conflicts that have a decision."""
        return with_decisions(plans, day_issues.decisions(self._connections.store)) if has_conflicts(plans) else plans

    def _held_orders(self, orders: Sequence[OrderBooks]) -> dict[str, str]:
        """Return the reasons why orders are held, by order id, from the mapped records of all these orders."""
        store = self._connections.store
        mapped = store.mapped_of_orders([order.order_id for order in orders])
        rows = [row for row in mapped if row.kind in DOCUMENTS]
        mirrored: dict[str, MirrorRecord] = {}
        for kind in DOCUMENTS:
            mirrored |= store.mirror_by_xero_id(kind, [row.xero_id for row in rows if row.kind == kind])
        contacts = ParentIds(store, [document for order in orders for document in order.documents]).contacts()
        by_shopify_id = {row.shopify_id: row for row in rows}
        return held_orders(orders, by_shopify_id, mirrored, contacts, day_issues.decisions(store))
