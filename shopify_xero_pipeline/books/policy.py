"""Accounting policies of a merchant, with the defaults and the validation of `books.yaml`.

This module only defines the settings. `policy_file.py` parses `books.yaml` and writes its error messages. The other
modules of this package apply the policies.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shopify_xero_pipeline.books.policy_file import PolicyError, parse_policy

__all__ = ["BooksPolicy", "PolicyError"]

AccountCode = Annotated[str, StringConstraints(min_length=1, max_length=10)]
TaxTypeCode = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Rate = Annotated[Decimal, Field(ge=0, lt=1)]
TaxTitle = Annotated[str, StringConstraints(min_length=1)]
Jurisdiction = Literal["state", "county", "city", "district"]

OR_SEVERAL_TAXES = "; or title_like, jurisdiction or country for several taxes at once ('*' is every tax)"

GIFT_CARD_GATEWAY = "gift_card"
NO_PAYMENT = "none"
"""Value in `payments`, in place of an account, for a gateway whose money others enter in Xero."""


def _gateway_key(name: str) -> str:
    return name.strip().casefold()


class Policy(BaseModel):
    """Base of all policies: immutable, with strict types and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RefundPolicy(Policy):
    """Policy for refunds without a credit note (docs/books.md §6.7)."""

    uncovered: Literal["block", "adjust"] = "block"


class ContactPolicy(Policy):
    """Policy for the Contacts of documents (docs/books.md §6.9)."""

    mode: Literal["per_customer", "single"] = "per_customer"
    adopt_by_email: bool = True
    guest_name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "Shopify guest"


class AccountOverride(Policy):
    """Sales account for some products. All conditions of an entry must match; the first matching entry applies."""

    product_type: str | None = None
    vendor: str | None = None
    tag: str | None = None
    sku: str | None = None
    account: AccountCode

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not (self.product_type or self.vendor or self.tag or self.sku):
            raise ValueError("this override matches nothing: give product_type, vendor, tag or sku")
        return self


class AccountPolicy(Policy):
    """Account codes of document lines (docs/books.md §2)."""

    sales: AccountCode = "200"
    shipping: AccountCode = "205"
    fees: AccountCode = "206"
    duties: AccountCode = "207"
    adjustments: AccountCode = "208"
    tips: AccountCode = "209"
    gift_cards: AccountCode = "830"
    gift_card_discounts: AccountCode | None = None
    channel_tax: AccountCode = "835"
    rounding: AccountCode = "860"
    exchange: AccountCode = "861"
    overrides: tuple[AccountOverride, ...] = ()

    @property
    def card_discounts(self) -> str:
        """The account of discounts on gift cards: `gift_card_discounts`, else that of sales, as for other discounts."""
        return self.gift_card_discounts or self.sales


class TaxPart(Policy):
    """A tax of Shopify, or a family of taxes; a tax must match all fields that are set.

    Attributes:
        title: the exact title.
        title_like: a pattern in which `*` matches any characters and `?` matches one.
        jurisdiction: the levying authority, derived from the words of the title.
        rate: a fraction: 0.15 for 15 %.
    """

    title: TaxTitle | None = None
    title_like: TaxTitle | None = None
    jurisdiction: Jurisdiction | None = None
    rate: Rate | None = None

    @model_validator(mode="after")
    def _names_a_tax(self) -> Self:
        if self.title is not None and self.title_like is not None:
            raise ValueError("give title or title_like, not both")
        if type(self) is TaxPart and not self.has_conditions:
            raise ValueError(f"give the tax's title, its rate (0.15 for 15 %), or both{OR_SEVERAL_TAXES}")
        return self

    @property
    def has_conditions(self) -> bool:
        """Whether it names a tax or a family of taxes."""
        return any(value is not None for value in (self.title, self.title_like, self.jurisdiction, self.rate))

    @property
    def parts(self) -> "tuple[TaxPart, ...]":
        """The single tax of this entry: itself."""
        return (self,)


class PlacedTax(TaxPart):
    """A tax limited to a country or province of destination; without both it applies everywhere."""

    country: Country | None = None
    province: str | None = None

    @model_validator(mode="after")
    def _province_is_of_a_country(self) -> Self:
        if self.province is not None and self.country is None:
            raise ValueError("give the country of the province too, such as country: US, province: CA")
        return self

    @field_validator("province")
    @classmethod
    def _province_is_a_code(cls, province: str | None) -> str | None:
        if province is not None and not re.fullmatch(r"[A-Z0-9]{1,3}", province):
            raise ValueError(f"{province!r} is not a province code; write it as Shopify does, such as CA or NSW")
        return province

    @cached_property
    def is_catch_all(self) -> bool:
        """Whether it matches every tax, and every combination of taxes, of its place."""
        (part, *others) = self.parts
        values = (part.title, part.jurisdiction, part.rate)
        return not others and not any(value is not None for value in values) and not (part.title_like or "").strip("*")


class TaxRule(PlacedTax):
    """Xero's TaxType for a tax of Shopify, or for a combination of several taxes on one sale."""

    combination: tuple[TaxPart, ...] = ()
    tax_type: TaxTypeCode

    @model_validator(mode="after")
    def _is_one_or_several(self) -> Self:
        single = self.has_conditions or (self.country is not None and not self.combination)
        if single == bool(self.combination) or len(self.combination) == 1:
            raise ValueError(
                "give either title and/or rate (0.15 for 15 %), or a combination of two or more taxes"
                + OR_SEVERAL_TAXES
            )
        return self

    @property
    def parts(self) -> tuple[TaxPart, ...]:
        """The taxes of this rule: one, or those of the combination."""
        return self.combination or (self,)


class TaxAccount(PlacedTax):
    """Liability account of a tax that has a line of its own (mode `lines`)."""

    account: AccountCode

    @model_validator(mode="after")
    def _is_a_tax(self) -> Self:
        if not self.has_conditions and self.country is None:
            raise ValueError(f"give the tax's title, its rate (0.15 for 15 %), or both{OR_SEVERAL_TAXES}")
        return self


DEFAULT_RATES = (
    TaxRule(title="GST", rate=Decimal("0.15"), tax_type="OUTPUT2"),
    TaxRule(rate=Decimal(0), tax_type="ZERORATED"),
)


class TaxPolicy(Policy):
    """Policy that maps Shopify's taxes to Xero's (docs/books.md §6.12)."""

    mode: Literal["rates", "lines"] = "rates"
    none: TaxTypeCode = "NONE"
    untaxed: TaxTypeCode = "NONE"
    untaxed_by_country: Mapping[Country, TaxTypeCode] = {}
    channel_liable: TaxTypeCode = "NONE"
    rates: tuple[TaxRule, ...] = DEFAULT_RATES
    lines: tuple[TaxAccount, ...] = ()


class RoundingPolicy(Policy):
    """Largest gap between an order's sales and its total that is booked as rounding (docs/books.md §6.8)."""

    cap: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.05")


DEFAULT_PAYMENTS: Mapping[str, str] = {
    "shopify_payments": "601",
    "paypal": "602",
    "cash": "603",
    "manual": "604",
    "Bank Deposit": "604",
}


class BooksPolicy(Policy):
    """All policies of a merchant; `BooksPolicy()` equals the `books.yaml` of the repository."""

    time_zone: str = "Pacific/Auckland"
    start_date: Annotated[date, Field(strict=False)] = date(2026, 9, 21)
    prefix: str = "SH-"
    post_when: Literal["paid", "placed"] = "paid"
    opening: Literal["block", "post"] = "block"
    zero_value: Literal["skip", "post"] = "skip"
    locked_period: Literal["block", "next_open_day"] = "block"
    on_conflict: Literal["keep_xero", "restore"] = "keep_xero"
    refund: RefundPolicy = RefundPolicy()
    contacts: ContactPolicy = ContactPolicy()
    accounts: AccountPolicy = AccountPolicy()
    payments: Mapping[str, AccountCode] = DEFAULT_PAYMENTS
    tax: TaxPolicy = TaxPolicy()
    rounding: RoundingPolicy = RoundingPolicy()

    @classmethod
    def from_yaml(cls, text: str, source: str) -> "BooksPolicy":
        """Parse the text of a `books.yaml`; an omitted setting has its default.

        Args:
            text: the file's content.
            source: the file's name, for error messages.

        Raises:
            PolicyError: a key is unknown, a value is invalid, or the text is not YAML.
        """
        return parse_policy(cls, text, source)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The shop's time zone, which determines the calendar day of an instant."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def _accounts_by_gateway(self) -> Mapping[str, str]:
        return {_gateway_key(name): code for name, code in self.payments.items()}

    def payment_account(self, gateway: str) -> str | None:
        """Return the account of a gateway (case-insensitive), or None; gift cards use the gift-card account."""
        key = _gateway_key(gateway)
        return self.accounts.gift_cards if key == GIFT_CARD_GATEWAY else self._accounts_by_gateway.get(key)

    def is_left_to_others(self, gateway: str) -> bool:
        """Return whether others enter a gateway's money in Xero, so that this project posts no payment."""
        return (self.payment_account(gateway) or "").casefold() == NO_PAYMENT

    @field_validator("start_date", mode="before")
    @classmethod
    def _start_is_a_date(cls, start: object) -> object:
        if isinstance(start, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", start):
            raise PydanticCustomError("date_parsing", "not a day")  # pydantic reads a bare number as seconds since 1970
        return start

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{name!r} is not a time zone; write the shop's IANA zone, such as Pacific/Auckland or Europe/Berlin"
            ) from None
        return name

    @field_validator("prefix")
    @classmethod
    def _prefix_is_clean(cls, prefix: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{0,20}", prefix):
            raise ValueError(f"{prefix!r} cannot start a document number; use up to 20 letters, digits, dots, _ and -")
        return prefix

    @field_validator("payments")
    @classmethod
    def _gateway_names_are_unique(cls, payments: Mapping[str, str]) -> Mapping[str, str]:
        names = list(map(_gateway_key, payments))
        if "" in names:
            raise ValueError("an entry has no name; write the gateway before the colon, as Shopify shows it")
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(f"{', '.join(duplicates)} appears twice, with different capitals; keep one")
        return payments

    @model_validator(mode="after")
    def _gift_cards_pay_from_their_liability(self) -> Self:
        code = self._accounts_by_gateway.get(GIFT_CARD_GATEWAY)
        if code is not None and code != self.accounts.gift_cards:
            raise ValueError(
                f"payments.gift_card is {code}, but gift cards are sold on accounts.gift_cards"
                f" {self.accounts.gift_cards}; use one account for both, so that the liability can return to zero"
            )
        return self
