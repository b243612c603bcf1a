"""Which taxes orders bore, and which entry of `books.yaml` takes each in: what an entry for many taxes stands for.

Only the counting belongs here; how an entry is chosen stands in `tax_rules.py`, and nothing is booked by it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shopify_xero_pipeline.books.policy import BooksPolicy, TaxAccount, TaxPart, TaxRule
from shopify_xero_pipeline.books.tax import place_of
from shopify_xero_pipeline.books.tax_rules import Place, most_exact
from shopify_xero_pipeline.books.unmapped import label
from shopify_xero_pipeline.shopify.models import Order, Sale

NO_ENTRY = "no entry: these orders are blocked"


class TaxName(BaseModel):
    """A tax as Shopify shows it; `rate` is a fraction."""

    model_config = ConfigDict(frozen=True)

    title: str
    rate: Decimal | None = None

    @property
    def label(self) -> str:
        """The tax as people know it: `Alameda County Tax 0.25 %`."""
        return label(self)


class TaxUsage(BaseModel):
    """The taxes together on rows of goods that go to one place: how many orders have such rows, and what they come to.

    `amounts` are those of the single taxes, in order, in `currency`; what a sales channel remits is left out.
    """

    model_config = ConfigDict(frozen=True)

    taxes: tuple[TaxName, ...]
    country: str | None
    province: str | None
    currency: str
    orders: int
    amounts: tuple[Decimal, ...]

    def one_by_one(self) -> Iterator["TaxUsage"]:
        """Yield each tax by itself, as mode `lines` looks them up."""
        for tax, amount in zip(self.taxes, self.amounts, strict=True):
            yield self.model_copy(update={"taxes": (tax,), "amounts": (amount,)})


class MatchedTaxes(BaseModel):
    """An entry and the taxes it stands for; `goes_to` is its tax type or account, `says` the entry as it is written."""

    model_config = ConfigDict(frozen=True)

    setting: str
    says: str
    goes_to: str
    taxes: tuple[TaxUsage, ...]


def tax_usage(orders: Iterable[Order]) -> tuple[TaxUsage, ...]:
    """Return the taxes on the rows of orders, test orders left out, each combination and place once."""
    sales = ((order, sale) for order in orders for entry in order.agreements for sale in entry.sales)
    rows = [(order, *_own(sale)) for order, sale in sales if not order.test]
    found: dict[tuple[tuple[TaxName, ...], Place, str], list[tuple[str, list[Decimal]]]] = defaultdict(list)
    for order, taxes, amounts in rows:
        if taxes:
            found[taxes, place_of(order), order.currency_code].append((order.id, amounts))
    return tuple(
        TaxUsage(
            taxes=taxes,
            country=place.country,
            province=place.province,
            currency=currency,
            orders=len({order_id for order_id, _ in seen}),
            amounts=tuple(sum(column, Decimal(0)) for column in zip(*(amounts for _, amounts in seen), strict=True)),
        )
        for (taxes, place, currency), seen in found.items()
    )


def match_taxes(policy: BooksPolicy, seen: Iterable[TaxUsage]) -> list[MatchedTaxes]:
    """Return what each entry of `books.yaml` stands for, in its order, and last what no entry stands for.

    Args:
        policy: the merchant's choices as they are now.
        seen: the taxes of any number of days.
    """
    in_lines = policy.tax.mode == "lines"
    entries: Sequence[TaxRule | TaxAccount] = policy.tax.lines if in_lines else policy.tax.rates
    found: dict[int | None, list[TaxUsage]] = defaultdict(list)
    for one in seen:
        for part in one.one_by_one() if in_lines else [one]:
            found[_place_in(entries, part)].append(part)
    name = "lines" if in_lines else "rates"
    listed = [
        MatchedTaxes(
            setting=f"tax.{name}[{index}]",
            says=_spelled(entry),
            goes_to=entry.account if isinstance(entry, TaxAccount) else entry.tax_type,
            taxes=_merged(found[index]),
        )
        for index, entry in enumerate(entries)
    ]
    left = [MatchedTaxes(setting=f"tax.{name}", says=NO_ENTRY, goes_to="", taxes=_merged(found[None]))]
    return [*listed, *(left if found[None] else [])]


def _own(sale: Sale) -> tuple[tuple[TaxName, ...], list[Decimal]]:
    """Return the taxes of a row that the merchant remits, sorted, and their amounts in the shop's currency."""
    own = [
        (tax.tax_line.title, tax.tax_line.rate, tax.amount.shop_money.amount)
        for tax in sale.taxes
        if not tax.tax_line.channel_liable
    ]
    own.sort(key=lambda tax: (tax[0], tax[1] or 0))
    return tuple(TaxName(title=title, rate=rate) for title, rate, _ in own), [amount for _, _, amount in own]


def _place_in(entries: Sequence[TaxRule | TaxAccount], one: TaxUsage) -> int | None:
    entry = most_exact(entries, one.taxes, Place(one.country, one.province))
    return None if entry is None else next(index for index, each in enumerate(entries) if each is entry)


def _merged(seen: Iterable[TaxUsage]) -> tuple[TaxUsage, ...]:
    """Return the taxes of several days with what is the same in one, the most money first."""
    sums: dict[tuple[object, ...], TaxUsage] = {}
    for one in seen:
        key = (one.taxes, one.country, one.province, one.currency)
        had = sums.get(key)
        amounts = one.amounts if had is None else tuple(map(sum, zip(had.amounts, one.amounts, strict=True)))
        orders = one.orders + (had.orders if had is not None else 0)
        sums[key] = one.model_copy(update={"orders": orders, "amounts": amounts})
    return tuple(sorted(sums.values(), key=lambda one: (-sum(one.amounts), [tax.label for tax in one.taxes])))


def _spelled(entry: TaxRule | TaxAccount) -> str:
    """Return what an entry asks of a tax, as it is written in `books.yaml`."""
    parts = [_of_part(part) for part in entry.parts]
    named = f"combination: [{'; '.join(parts)}]" if len(parts) > 1 else parts[0]
    places = [f"{name}: {given}" for name in ("country", "province") if (given := getattr(entry, name)) is not None]
    return ", ".join(filter(None, [named, *places]))


def _of_part(part: TaxPart) -> str:
    names = ("title", "title_like", "jurisdiction", "rate")
    return ", ".join(f"{name}: {given}" for name in names if (given := getattr(part, name)) is not None)
