"""Taxes of orders by entry of `books.yaml`, which shows the taxes that an entry for many taxes matches.

This module only counts. `tax_rules.py` chooses entries.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from shopify_xero_pipeline.books.policy import BooksPolicy, TaxAccount, TaxPart, TaxRule
from shopify_xero_pipeline.books.tax import place_of
from shopify_xero_pipeline.books.tax_rules import Place, most_exact
from shopify_xero_pipeline.books.unmapped import label
from shopify_xero_pipeline.shopify.models import Order, Sale

NO_ENTRY = "no entry: these orders are blocked"


class TaxName(BaseModel):
    """A tax of Shopify; `rate` is a fraction."""

    model_config = ConfigDict(frozen=True)

    title: str
    rate: Decimal | None = None

    @property
    def label(self) -> str:
        """The name for people: `Alameda County Tax 0.25 %`."""
        return label(self)


class TaxUsage(BaseModel):
    """A combination of taxes at one place of delivery, with its orders and amounts.

    Attributes:
        taxes: the taxes on one sale, without those that a sales channel remits.
        country: the country code of delivery.
        province: the province code of delivery.
        currency: the currency of the amounts.
        orders: the number of orders.
        amounts: the sum of each tax, in the order of `taxes`.
    """

    model_config = ConfigDict(frozen=True)

    taxes: tuple[TaxName, ...]
    country: str | None
    province: str | None
    currency: str
    orders: int
    amounts: tuple[Decimal, ...]

    def split(self) -> Iterator["TaxUsage"]:
        """Yield each tax on its own, as mode `lines` looks it up."""
        for tax, amount in zip(self.taxes, self.amounts, strict=True):
            yield self.model_copy(update={"taxes": (tax,), "amounts": (amount,)})


class MatchedTaxes(BaseModel):
    """An entry of `books.yaml` with the taxes that it matches.

    Attributes:
        setting: the dotted name of the entry; without index for taxes that no entry matches.
        criteria: the conditions of the entry as in the file.
        goes_to: its tax type or account; '' without an entry.
        taxes: the taxes, the largest amount first.
    """

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    setting: str
    criteria: str = Field(serialization_alias="says")
    goes_to: str
    taxes: tuple[TaxUsage, ...]


def tax_usage(orders: Iterable[Order]) -> tuple[TaxUsage, ...]:
    """Return the taxes on the sales of orders, each combination and place once.

    Args:
        orders: any orders; test orders are ignored.
    """
    sales = ((order, sale) for order in orders for agreement in order.agreements for sale in agreement.sales)
    rows: dict[tuple[tuple[TaxName, ...], Place, str], list[tuple[str, list[Decimal]]]] = defaultdict(list)
    for order, sale in sales:
        taxes, amounts = _merchant_taxes(sale)
        if taxes and not order.test:
            rows[taxes, place_of(order), order.currency_code].append((order.id, amounts))
    return tuple(
        TaxUsage(
            taxes=taxes,
            country=place.country,
            province=place.province,
            currency=currency,
            orders=len({order_id for order_id, _ in group}),
            amounts=tuple(sum(column, Decimal(0)) for column in zip(*(amounts for _, amounts in group), strict=True)),
        )
        for (taxes, place, currency), group in rows.items()
    )


def match_taxes(policy: BooksPolicy, usages: Iterable[TaxUsage]) -> list[MatchedTaxes]:
    """Return the taxes of each entry of `books.yaml`, in the order of the file, and last those without an entry.

    Args:
        policy: the present settings of `books.yaml`.
        usages: the taxes of any number of days.
    """
    in_lines = policy.tax.mode == "lines"
    entries: Sequence[TaxRule | TaxAccount] = policy.tax.lines if in_lines else policy.tax.rates
    groups: dict[int | None, list[TaxUsage]] = defaultdict(list)
    for usage in usages:
        for part in usage.split() if in_lines else [usage]:
            groups[_entry_index(entries, part)].append(part)
    name = "lines" if in_lines else "rates"
    matched = [
        MatchedTaxes(
            setting=f"tax.{name}[{index}]",
            criteria=_format_entry(entry),
            goes_to=entry.account if isinstance(entry, TaxAccount) else entry.tax_type,
            taxes=_merge(groups[index]),
        )
        for index, entry in enumerate(entries)
    ]
    unmatched = [MatchedTaxes(setting=f"tax.{name}", criteria=NO_ENTRY, goes_to="", taxes=_merge(groups[None]))]
    return [*matched, *(unmatched if groups[None] else [])]


def _merchant_taxes(sale: Sale) -> tuple[tuple[TaxName, ...], list[Decimal]]:
    """Return the taxes of a sale that the merchant remits, sorted, and their amounts in the shop's currency."""
    taxes = [
        (tax.tax_line.title, tax.tax_line.rate, tax.amount.shop_money.amount)
        for tax in sale.taxes
        if not tax.tax_line.channel_liable
    ]
    taxes.sort(key=lambda tax: (tax[0], tax[1] or 0))
    return tuple(TaxName(title=title, rate=rate) for title, rate, _ in taxes), [amount for _, _, amount in taxes]


def _entry_index(entries: Sequence[TaxRule | TaxAccount], usage: TaxUsage) -> int | None:
    match = most_exact(entries, usage.taxes, Place(usage.country, usage.province))
    return None if match is None else next(index for index, entry in enumerate(entries) if entry is match)


def _merge(usages: Iterable[TaxUsage]) -> tuple[TaxUsage, ...]:
    """Return the taxes of several days, summed by taxes, place and currency, the largest amount first."""
    sums: dict[tuple[object, ...], TaxUsage] = {}
    for usage in usages:
        key = (usage.taxes, usage.country, usage.province, usage.currency)
        subtotal = sums.get(key)
        amounts, orders = usage.amounts, usage.orders
        if subtotal is not None:
            amounts = tuple(before + more for before, more in zip(subtotal.amounts, amounts, strict=True))
            orders += subtotal.orders
        sums[key] = usage.model_copy(update={"orders": orders, "amounts": amounts})
    return tuple(sorted(sums.values(), key=lambda usage: (-sum(usage.amounts), [tax.label for tax in usage.taxes])))


def _format_entry(entry: TaxRule | TaxAccount) -> str:
    """Return the conditions of an entry as in `books.yaml`."""
    parts = [_format_fields(part, "title", "title_like", "jurisdiction", "rate") for part in entry.parts]
    taxes = f"combination: [{'; '.join(parts)}]" if len(parts) > 1 else parts[0]
    return ", ".join(filter(None, [taxes, _format_fields(entry, "country", "province")]))


def _format_fields(part: TaxPart, *names: str) -> str:
    return ", ".join(f"{name}: {value}" for name in names if (value := getattr(part, name)) is not None)
