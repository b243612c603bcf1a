"""Plans of days: from stored data first, and again from a refreshed mirror if a plan writes or may be outdated.

So an unchanged day costs no call to Xero, and each write depends on a current copy of Xero. This module only collects
the inputs of the plans and has the order of steps; the comparison is in `changes/`, the accounting in `books/`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from typing import NamedTuple, TypeVar

from shopify_xero_pipeline.books.block_summary import BlockedOrders, count_blocked_orders
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes import desired_state
from shopify_xero_pipeline.changes.decisions import with_decisions
from shopify_xero_pipeline.changes.earlier_days import EarlierDays
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
from shopify_xero_pipeline.pipeline.portions import Portion, Portions
from shopify_xero_pipeline.pipeline.settings_review import ORGANISATION_MAX_AGE, SettingsReview
from shopify_xero_pipeline.shopify.models import Customer, Node, Order, Product
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import Kind

N = TypeVar("N", bound=Node)
ORDER_KINDS = (*DOCUMENTS, Kind.PAYMENT)


class PortionPlan(NamedTuple):
    """The plan of a portion.

    Attributes:
        change_sets: at most one for each kind and day.
        posted: ids of the orders that the books want posted.
    """

    change_sets: list[ChangeSet]
    posted: Collection[str] = ()


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
        """Return the change-sets of Contacts; see `contact_plans`."""
        return [*self.contact_plans(customers, orders)]

    def plan_items(
        self, products: Mapping[date, Sequence[Product]], orders: Mapping[date, Sequence[Order]]
    ) -> list[ChangeSet]:
        """Return the change-sets of Items; see `item_plans`."""
        return [*self.item_plans(products, orders)]

    def plan_orders(
        self, orders: Mapping[date, Sequence[Order]], kinds: Sequence[Kind] = ORDER_KINDS
    ) -> list[ChangeSet]:
        """Return the change-sets of Invoices, Credit Notes and Payments; see `order_plans`."""
        return [*self.order_plans(orders, kinds)]

    def contact_plans(
        self, customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]]
    ) -> Iterator[ChangeSet]:
        """Yield the change-set of Contacts of each day.

        Args:
            customers: changed customers by day. This mapping and the next one may read a day at each
                access, up to three times.
            orders: orders by day.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """
        policy = self._connections.policy

        def plan(portion: Portion[Customer], earlier: EarlierDays) -> PortionPlan:
            contacts = desired_state.desired_contacts(portion.others, portion.orders, policy)
            known = self._inputs.contacts([contact for day in contacts.values() for contact in day])
            adopt, restore = policy.contacts.adopt_by_email, policy.on_conflict == "restore"
            return PortionPlan(plan_contacts(contacts, known, adopt=adopt, restore=restore, earlier=earlier))

        with events.log_operation(self._connections.clock, "plan", Kind.CONTACT, [*customers, *orders]):
            yield from self._plan_range(Portions(customers, orders), plan, (Kind.CONTACT,))

    def item_plans(
        self, products: Mapping[date, Sequence[Product]], orders: Mapping[date, Sequence[Order]]
    ) -> Iterator[ChangeSet]:
        """Yield the change-set of Items of each day.

        Args:
            products: changed products by day. This mapping and the next one may read a day at each access, up to
                three times.
            orders: orders by day.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """

        def plan(portion: Portion[Product], earlier: EarlierDays) -> PortionPlan:
            products, orders = portion.others, portion.orders
            days = {*products, *orders}
            titled = (desired_state.variants_with_titles(products.get(day, ()), orders.get(day, ())) for day in days)
            known = self._inputs.items([variant for variants in titled for _, variant in variants])
            items = desired_state.desired_items(
                products,
                orders,
                shop_currency=self._connections.shop_currency,
                base_currency=self._connections.organisation().base_currency,
                known=known,
                earlier=earlier,
            )
            restore = self._connections.policy.on_conflict == "restore"
            return PortionPlan(plan_records(Kind.ITEM, items, known, restore=restore, earlier=earlier))

        with events.log_operation(self._connections.clock, "plan", Kind.ITEM, [*products, *orders]):
            yield from self._plan_range(Portions(products, orders), plan, (Kind.ITEM,))

    def order_plans(
        self, orders: Mapping[date, Sequence[Order]], kinds: Sequence[Kind] = ORDER_KINDS
    ) -> Iterator[ChangeSet]:
        """Yield the change-set of Invoices, Credit Notes and Payments (with Allocations) of each day.

        Args:
            orders: orders by day; the mapping may read a day at each access, up to three times.
            kinds: the kinds to plan, in one pass.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """

        def plan(portion: Portion[Order], earlier: EarlierDays) -> PortionPlan:
            books_by_day = self.build_order_books(portion.orders, earlier)
            books = [order for day in books_by_day.values() for order in day]
            contacts, held = self._inputs.contacts_of_documents(books), self._held_orders(books)
            known = self._inputs.of_orders(kinds, books)
            plans = [
                change_set
                for kind in kinds
                for change_set in plan_orders(kind, books_by_day, known[kind], contacts, held)
            ]
            return PortionPlan(plans, {order.order_id for order in books if order.outcome is Outcome.POST})

        with events.log_operation(self._connections.clock, "plan", " and ".join(kinds), orders):
            yield from self._plan_range(Portions[Order]({}, orders), plan, (Kind.CONTACT, *ORDER_KINDS))

    def build_order_books(
        self, orders: Mapping[date, Sequence[Order]], earlier: EarlierDays | None = None
    ) -> dict[date, list[OrderBooks]]:
        """Return the books of each day's orders. A document number that is in use elsewhere is replaced.

        Args:
            orders: orders by day.
            earlier: the document numbers of the earlier days of the range; those of these days are added.

        Raises:
            XeroError: Xero could not be read.
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
            earlier,
        )

    def _plan_range(
        self, portions: Portions[N], plan: Callable[[Portion[N], EarlierDays], PortionPlan], kinds: Sequence[Kind]
    ) -> Iterator[ChangeSet]:
        """Review the settings, yield the plans of a range, and store its held lines.

        A range of one portion is planned again after a refresh of the kinds on which its writes depend. A longer range
        reads all its kinds once if any portion needs one, so that no portion is planned from an older copy of Xero.

        Args:
            portions: the records of the range.
            plan: makes the change-sets of a portion from the mirror.
            kinds: the kinds that it reads.

        Raises:
            PipelineError: a setting would post wrong amounts.
            XeroError: Xero could not be read.
        """
        self._settings_review.check_settings()
        self._warn_of_blocked_orders(portions.orders)
        if next(iter(portions)).is_whole:
            (portion,) = portions
            yield from self._with_held_lines(self._plan_again_if_needed(partial(plan, portion), kinds))
            return
        if self._needs_xero(portions, plan, kinds):
            self._refresh(kinds)
        earlier = EarlierDays()
        for portion in portions:
            yield from self._with_held_lines(self._apply_decisions(plan(portion, earlier)))

    def _needs_xero(
        self, portions: Portions[N], plan: Callable[[Portion[N], EarlierDays], PortionPlan], kinds: Sequence[Kind]
    ) -> bool:
        """Return whether the plan of any portion depends on the present state of Xero."""
        if self._mirror_refresh.is_due(kinds):
            return True
        earlier = EarlierDays()
        plans = (self._apply_decisions(plan(portion, earlier)).change_sets for portion in portions)
        return any(self._kinds_to_read(change_sets, kinds, all_kinds=False) for change_sets in plans)

    def _plan_again_if_needed(self, plan: Callable[[EarlierDays], PortionPlan], kinds: Sequence[Kind]) -> PortionPlan:
        """Plan, and plan again after a refresh of the mirror if it is needed.

        Before a write the mirror is refreshed for the kinds on which it depends (`changes/reads_before_writes.py`);
        decided conflicts do not count. A plan from newer data may depend on more kinds, so the step repeats.
        """
        planned, refreshed = self._apply_decisions(plan(EarlierDays())), set[Kind]()
        is_due = self._mirror_refresh.is_due(kinds)
        while outdated := self._kinds_to_read(planned.change_sets, kinds, all_kinds=is_due) - refreshed:
            self._refresh([kind for kind in kinds if kind in outdated])
            refreshed |= outdated
            planned = self._apply_decisions(plan(EarlierDays()))
        return planned

    def _refresh(self, kinds: Sequence[Kind]) -> None:
        """Read the organisation if it is old, review the settings, and sweep kinds."""
        self._connections.organisation(ORGANISATION_MAX_AGE, accounts_max_age=SETTINGS_MAX_AGE)
        self._settings_review.check_settings()
        self._mirror_refresh.refresh(kinds)

    def _with_held_lines(self, planned: PortionPlan) -> list[ChangeSet]:
        """Store the held lines of a plan and return its change-sets."""
        day_issues.store_held_lines(self._connections.store, planned.change_sets, planned.posted)
        return planned.change_sets

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
            blocked, earlier = BlockedOrders(), EarlierDays()
            for portion in Portions[Order]({}, orders):
                books = self.build_order_books(portion.orders, earlier)
                blocked += count_blocked_orders(order for day in books.values() for order in day)
            self._settings_review.check_orders(blocked, events.format_day_range(orders))

    def _apply_decisions(self, planned: PortionPlan) -> PortionPlan:
        """Return a plan without the conflicts that have a decision."""
        if not has_conflicts(planned.change_sets):
            return planned
        decided = with_decisions(planned.change_sets, day_issues.decisions(self._connections.store))
        return planned._replace(change_sets=decided)

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
