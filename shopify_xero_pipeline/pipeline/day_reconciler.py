"""Reconciliation of days: the three columns of each order, its orphans and its pending transactions.

This module only collects the columns and stores the result; the comparison is in `reconciliation/`.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.books.tax_usage import tax_usage
from shopify_xero_pipeline.changes.earlier_days import EarlierDays
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import day_issues, pending_transactions, reconciled_days
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.day_planner import DayPlanner
from shopify_xero_pipeline.pipeline.mirror_refresh import MirrorRefresh
from shopify_xero_pipeline.pipeline.plan_inputs import PlanInputs
from shopify_xero_pipeline.pipeline.portions import Portions
from shopify_xero_pipeline.pipeline.record_ownership import RecordOwnership, unwanted_orders
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation, reconcile_day
from shopify_xero_pipeline.reconciliation.movements import account_names
from shopify_xero_pipeline.reconciliation.order_records import ReconciliationInputs
from shopify_xero_pipeline.reconciliation.shopify_movements import movements_by_order
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.state.records import NOT_YET_WRITTEN


class DayReconciler:
    """Reconciles days.

    Args:
        connections: the connections of the run.
        planner: builds the order books.
        mirror_refresh: reads back from Xero after a load.
        record_ownership: detects and stores orphans.
    """

    def __init__(
        self,
        connections: Connections,
        planner: DayPlanner,
        mirror_refresh: MirrorRefresh,
        record_ownership: RecordOwnership,
    ) -> None:
        self._connections = connections
        self._planner = planner
        self._mirror_refresh = mirror_refresh
        self._record_ownership = record_ownership

    def reconcile(self, orders: Mapping[date, Sequence[Order]]) -> list[DayReconciliation]:
        """Reconcile days and return their stored reconciliations; see `reconcile_range`."""
        self.reconcile_range(orders)
        store = self._connections.store
        return self._record_ownership.with_orphans(reconciled_days.load_reconciliations(store, sorted(orders)))

    def reconcile_range(self, orders: Mapping[date, Sequence[Order]]) -> None:
        """Store each day's three columns, after a read-back from Xero if a load has written since the last one.

        Args:
            orders: orders by day; the mapping may read a day at each access.

        Raises:
            ShopifyError: Shopify could not be read.
            XeroError: Xero could not be read.
        """
        with events.log_operation(self._connections.clock, "reconciliation", "order", orders) as log_fields:
            has_open_orphans = any(orphan.is_open for orphan in self._record_ownership.orphans({*orders}))
            self._mirror_refresh.read_back(always=has_open_orphans)
            listed, unwanted, unequal, earlier = dict[str, date](), dict[str, str](), 0, EarlierDays()
            for portion in Portions[Order]({}, orders):
                books_by_day = self._planner.build_order_books(portion.orders, earlier)
                unequal += self._store_days(portion.orders, books_by_day)
                listed |= {order.legacy_id: day for day, placed in portion.orders.items() for order in placed}
                unwanted |= unwanted_orders(books_by_day)
            self._record_ownership.record_orphans({*orders}, listed, unwanted)
            log_fields["orders"], log_fields["unequal"] = len(listed), unequal

    def _store_days(
        self, orders: Mapping[date, Sequence[Order]], books_by_day: Mapping[date, Sequence[OrderBooks]]
    ) -> int:
        """Compare days, store them with their pending transactions, and return the number of unequal orders."""
        days = self._compare_days(orders, books_by_day)
        reconciled_days.store_reconciliations(
            self._connections.store, days, self._connections.policy.accounts.gift_cards
        )
        pending_transactions.store_pending(self._connections.store, orders)
        return sum(len(day.unequal) for day in days)

    def _compare_days(
        self, orders: Mapping[date, Sequence[Order]], books_by_day: Mapping[date, Sequence[OrderBooks]]
    ) -> list[DayReconciliation]:
        policy, organisation, store = (
            self._connections.policy,
            self._connections.organisation(),
            self._connections.store,
        )
        ids = [order.legacy_id for day_orders in orders.values() for order in day_orders]
        documents = [document for books in books_by_day.values() for order in books for document in order.documents]
        parent_ids = ParentIds(store, documents)
        mapped = store.mapped_of_orders(ids)
        inputs = ReconciliationInputs(
            mapped,
            PlanInputs(store).mirror_of_orders(mapped, ids),
            store.retry_queue.of_orders(ids),
            store.frozen_of_orders(ids),
            contacts=parent_ids.contacts(),
            item_codes=parent_ids.item_codes(),
            held=[line for lines in day_issues.held_lines(store).values() for line in lines],
            unwritten=store.journal.in_state(*NOT_YET_WRITTEN),
        )
        names, days = account_names(policy, organisation), []
        for day, books in sorted(books_by_day.items()):
            movements = movements_by_order(orders[day], books, policy, organisation, names)
            reconciliation = reconcile_day(day, books, inputs, movements, names)
            days.append(reconciliation.model_copy(update={"taxes": tax_usage(orders[day])}))
        return days
