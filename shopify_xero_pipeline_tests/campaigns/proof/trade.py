"""A shop's records as models at any instant, by the shop's day, read at once instead of by the sync service.

The module reads the sandbox's records without GraphQL, which takes most of a sync's time; `test_rounding_modes.py`
compares both readings. It knows nothing of the books.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node, ShopSource
from shopify_xero_pipeline.shopify.models import Customer, Order, Product
from shopify_xero_pipeline.shopify.models import Node as Model
from shopify_xero_pipeline.shopify.parsing import parse_order, parse_product, parse_record

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Day:
    """The records of days in the shop's time zone, at an instant."""

    customers: Mapping[date, Sequence[Customer]]
    products: Mapping[date, Sequence[Product]]
    orders: Mapping[date, Sequence[Order]]


class Timeline(Generic[M]):
    """All versions of the records of one kind; None from the instant on at which a record no longer exists."""

    def __init__(self, histories: Mapping[str, Sequence[tuple[datetime, M | None]]]) -> None:
        self._histories = histories

    def at(self, instant: datetime) -> list[M]:
        """Return the records that exist at an instant, in their state then."""
        reached = ([model for at, model in history if at <= instant] for history in self._histories.values())
        return [models[-1] for models in reached if models and models[-1] is not None]

    def step(self, number: int) -> list[M]:
        """Return each record after its change of a number, from 0, or after its last one."""
        stages = ([model for _, model in history] for history in self._histories.values())
        return [model for models in stages if (model := models[min(number, len(models) - 1)]) is not None]

    @property
    def longest(self) -> int:
        """The largest number of versions of a record."""
        return max((len(history) for history in self._histories.values()), default=0)

    def changes(self) -> list[tuple[datetime, M]]:
        """Return each version of a record with its instant."""
        return [(at, model) for history in self._histories.values() for at, model in history if model is not None]


class Trade:
    """The history of a shop until an instant.

    Args:
        source: the shop, whose time zone determines the days.
        until: the last instant.
        placed: the days whose orders belong to the trade; by default all.
    """

    def __init__(self, source: ShopSource, until: datetime, placed: Iterable[date] | None = None) -> None:
        self._zone = ZoneInfo(source.shop()["ianaTimezone"])
        self.until = until
        orders = source.versions("orders", until)
        days = {gid: self._placed(versions[0].node) for gid, versions in orders.items()}
        self.days = sorted(set(days.values()) if placed is None else placed)
        self.nodes = {gid: orders[gid][-1].node for gid, day in days.items() if day in set(self.days)}
        self.orders = Timeline({gid: _history(orders[gid], parse_order) for gid in self.nodes})
        self.customers = _timeline(source, "customers", until, partial(parse_record, Customer))
        self.products = _timeline(source, "products", until, parse_product)

    def day_of(self, instant: datetime) -> date:
        """Return the calendar day of an instant in the shop's time zone."""
        return instant.astimezone(self._zone).date()

    def seen(self, days: Iterable[date], instant: datetime) -> Day:
        """Return what a sync of the days reads at an instant."""
        wanted = set(days)
        return Day(
            self._split(wanted, self.customers.at(instant), lambda customer: customer.updated_at),
            self._split(wanted, self.products.at(instant), lambda product: product.updated_at),
            self._split(wanted, self.orders.at(instant), lambda order: order.processed_at),
        )

    def at_step(self, number: int) -> Day:
        """Return each order after its change of a number, from 0, whenever that was."""
        return Day({}, {}, self._split(set(self.days), self.orders.step(number), lambda order: order.processed_at))

    def days_of_change(self) -> dict[datetime, set[date]]:
        """Return each instant with a change, with the days of the changed records."""
        changes: dict[datetime, set[date]] = defaultdict(set)
        for order_at, order in self.orders.changes():
            changes[order_at].add(self.day_of(order.processed_at))
        for customer_at, customer in self.customers.changes():
            changes[customer_at].add(self.day_of(customer.updated_at))
        for product_at, product in self.products.changes():
            changes[product_at].add(self.day_of(product.updated_at))
        return dict(sorted(changes.items()))

    def night_after(self, instant: datetime) -> datetime:
        """Return 01:00 in the shop's time zone of the night after an instant."""
        return datetime.combine(self.day_of(instant) + timedelta(days=1), time(1), self._zone)

    def buyers(self) -> dict[str, set[str]]:
        """Return the buyers of each order under all of their ids; an order of a merged customer has two."""
        buyers: dict[str, set[str]] = defaultdict(set)
        for _, order in self.orders.changes():
            buyer = f"company:{order.company.legacy_id}" if order.company else None
            buyer = buyer or (order.customer.legacy_id if order.customer else None)
            buyers[order.legacy_id] |= {buyer} if buyer else set()
        return buyers

    def blanked(self) -> set[str]:
        """Return the customers with a field that Shopify has blanked."""
        known: dict[str, set[str]] = {}
        blanked = set()
        seen = [*self.customers.changes(), *((at, o.customer) for at, o in self.orders.changes() if o.customer)]
        for _, customer in sorted(seen, key=lambda change: change[0]):
            fields = {name for name, value in customer.model_dump(exclude={"display_name"}).items() if value}
            if known.get(customer.legacy_id, set()) - fields:
                blanked.add(customer.legacy_id)
            known[customer.legacy_id] = fields
        return blanked

    def sold(self) -> set[str]:
        """Return the titles of the variants on orders at the end; deleted variants are not on orders."""
        lines = [line for order in self.orders.at(self.until) for line in order.line_items]
        named = [(line.product.title, line.variant.title) for line in lines if line.product and line.variant]
        return {title if option == "Default Title" else f"{title} - {option}" for title, option in named}

    def _placed(self, node: Node) -> date:
        return self.day_of(datetime.fromisoformat(node["processedAt"]))

    def _split(self, days: set[date], models: Iterable[M], when: Callable[[M], datetime]) -> dict[date, list[M]]:
        by_day: dict[date, list[M]] = defaultdict(list)
        for model in models:
            by_day[self.day_of(when(model))].append(model)
        return {day: by_day[day] for day in sorted(days)}


def _timeline(source: ShopSource, kind: Any, until: datetime, convert: Callable[[Node], M]) -> Timeline[M]:
    return Timeline({gid: _history(history, convert) for gid, history in source.versions(kind, until).items()})


def _history(versions: Sequence[Any], convert: Callable[[Node], M]) -> list[tuple[datetime, M | None]]:
    return [(version.at, convert(_paged(version.node)) if version.node else None) for version in versions]


def _paged(value: Any) -> Any:
    """Return a node in the API's form, each connection with its page info."""
    if isinstance(value, dict):
        inner = {key: _paged(part) for key, part in value.items()}
        return {"pageInfo": {"hasNextPage": False}, **inner} if set(value) == {"nodes"} else inner
    return [_paged(part) for part in value] if isinstance(value, list) else value
