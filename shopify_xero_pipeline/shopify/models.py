"""Models of Shopify's customers, products and orders, with the whole history of each order.

This module only defines models, one for each GraphQL type in the documents of `graphql/`, under the API's names in
snake case. A reference to another object is its id. The module contains no arithmetic and no policy. Money is `Decimal`
in the currency's main unit; instants are UTC. Enumerations are text, so that a value new to Shopify does not fail the
extraction; the books block unknown values.
"""

from collections.abc import Container
from datetime import datetime
from decimal import Decimal

from pydantic import AliasPath, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_PARENT_ID = AliasPath("parentTransaction", "id")


def legacy_id(gid: str) -> str:
    """Return the digits of a global id: `1234` for `gid://shopify/Order/1234?x=1`."""
    return gid.rsplit("/", 1)[-1].split("?", 1)[0]


class ShopifyModel(BaseModel):
    """Frozen base of all models, with aliases in camel case. Unknown fields are ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )


class Node(ShopifyModel):
    """An object with a global id."""

    id: str

    @property
    def legacy_id(self) -> str:
        """Digits of the global id, for links and the mapping."""
        return legacy_id(self.id)


class Money(ShopifyModel):
    """An amount in a currency's main unit (`MoneyV2`)."""

    amount: Decimal
    currency_code: str


class MoneyBag(ShopifyModel):
    """An amount in the shop's currency and in the customer's currency."""

    shop_money: Money
    presentment_money: Money


class TaxLine(ShopifyModel):
    """A tax of an order line. `rate` is a fraction: 0.2 for 20 %."""

    title: str
    rate: Decimal | None = None
    channel_liable: bool | None = None


class SaleTax(ShopifyModel):
    """A tax of one sale; only this amount, not the order line's, is correct for the sale."""

    amount: MoneyBag
    tax_line: TaxLine


class ProductRef(Node):
    """The product of a line, for account overrides."""

    title: str = ""
    product_type: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()


class Variant(Node):
    """A product variant. `price` is in the shop's currency."""

    title: str = ""
    sku: str | None = None
    price: Decimal = Decimal(0)


class LineItem(Node):
    """A line of an order. `sku`, `title` and `variant_title` are snapshots; a deleted product or variant is null."""

    title: str
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    original_unit_price_set: MoneyBag
    product: ProductRef | None = None
    variant: Variant | None = None


class Sale(Node):
    """A row of the sales ledger. `total_amount` is after discounts and includes tax in both tax modes.

    Source: docs/contracts/shopify_orders.md §4.9.

    Attributes:
        line_type: PRODUCT, TIP, GIFT_CARD, SHIPPING, DUTY, FEE, ADDITIONAL_FEE or ADJUSTMENT.
        action_type: ORDER, RETURN or UPDATE.
        line_item_id: the id in `Order.line_items`.
        title: the name of a shipping, duty or fee row.
    """

    line_type: str
    action_type: str
    quantity: int | None = None
    total_amount: MoneyBag
    total_tax_amount: MoneyBag
    total_discount_amount_before_taxes: MoneyBag
    taxes: tuple[SaleTax, ...] = ()
    line_item_id: str | None = Field(None, validation_alias=AliasPath("lineItem", "id"))
    title: str | None = None


class Agreement(Node):
    """An entry of the append-only sales ledger.

    Attributes:
        reason: ORDER, ORDER_EDIT, REFUND or RETURN.
        refund_id: the refund of a REFUND entry.
    """

    happened_at: datetime
    reason: str
    refund_id: str | None = Field(None, validation_alias=AliasPath("refund", "id"))
    sales: tuple[Sale, ...] = ()


class ExchangeAdjustment(ShopifyModel):
    """The amount of a transaction at its parent's rate and the amount that moved, both in the shop's currency.

    Outgoing money is negative in Shopify's published sample of a refund (REST Transaction,
    `currency_exchange_adjustment`).
    """

    original_amount_set: Money
    final_amount_set: Money


class Transaction(Node):
    """An attempt to move money; only status SUCCESS moves any (docs/contracts/shopify_orders.md §4.6).

    `currency_exchange_adjustment` is set if the customer pays in another currency and its rate changed after the parent
    transaction.
    """

    kind: str
    status: str
    gateway: str | None = None
    amount_set: MoneyBag
    amount_rounding_set: MoneyBag | None = None
    currency_exchange_adjustment: ExchangeAdjustment | None = None
    created_at: datetime
    processed_at: datetime | None = None
    parent_id: str | None = Field(None, validation_alias=_PARENT_ID)


class Refund(Node):
    """A refund; only its transactions show whether money moved."""

    processed_at: datetime
    transaction_ids: tuple[str, ...] = ()


class Address(ShopifyModel):
    """A postal address; every field may be missing."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country: str | None = None
    country_code_v2: str | None = None


class EmailAddress(ShopifyModel):
    """A customer's e-mail address."""

    email_address: str


class PhoneNumber(ShopifyModel):
    """A customer's telephone number."""

    phone_number: str


class Customer(Node):
    """A customer. Name, e-mail and telephone may be missing: guests, redaction, protected data without approval."""

    display_name: str = ""
    first_name: str | None = None
    last_name: str | None = None
    default_email_address: EmailAddress | None = None
    default_phone_number: PhoneNumber | None = None
    default_address: Address | None = None
    updated_at: datetime

    def redacted(self) -> "Customer":
        """Return the customer with its id only, as Shopify returns a redacted customer."""
        return Customer(id=self.id, updated_at=self.updated_at)

    def redacted_if(self, customers: Container[str]) -> "Customer":
        """Return the customer, redacted if its id (digits) is in `customers`.

        Args:
            customers: ids of redacted customers, as digits.
        """
        return self.redacted() if self.legacy_id in customers else self


class Company(Node):
    """The buyer of a B2B order."""

    name: str


class PaymentSchedule(ShopifyModel):
    """An instalment of payment terms."""

    due_at: datetime | None = None


class PaymentTerms(ShopifyModel):
    """Payment terms of an order with deferred payment."""

    payment_schedules: tuple[PaymentSchedule, ...] = ()


class Order(Node):
    """An order with its whole history: lines, sales ledger, money, refunds."""

    name: str
    processed_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None = None
    test: bool = False
    taxes_included: bool = False
    currency_code: str
    presentment_currency_code: str
    display_financial_status: str | None = None
    original_total_price_set: MoneyBag
    current_total_price_set: MoneyBag
    current_total_tax_set: MoneyBag
    net_payment_set: MoneyBag
    total_outstanding_set: MoneyBag
    customer: Customer | None = None
    company: Company | None = Field(None, validation_alias=AliasPath("purchasingEntity", "company"))
    billing_address: Address | None = None
    shipping_address: Address | None = None
    payment_terms: PaymentTerms | None = None
    line_items: tuple[LineItem, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def redacted_if(self, customers: Container[str]) -> "Order":
        """Return the order, its customer redacted if the customer's id (digits) is in `customers`.

        Args:
            customers: ids of redacted customers, as digits.
        """
        customer = self.customer and self.customer.redacted_if(customers)
        return self if customer is self.customer else self.model_copy(update={"customer": customer})


class ChangedOrder(Node):
    """A changed order, with the instants that decide its day."""

    processed_at: datetime
    updated_at: datetime


class TransactionStatus(Node):
    """A transaction's status, which shows whether a pending transaction has settled."""

    status: str
    parent_id: str | None = Field(None, validation_alias=_PARENT_ID)


class OrderMoney(ChangedOrder):
    """The status of an order's transactions, read from the record and not from the search index."""

    transactions: tuple[TransactionStatus, ...] = ()


class Product(Node):
    """A product with all its variants."""

    title: str
    updated_at: datetime
    variants: tuple[Variant, ...] = ()


class Shop(Node):
    """The shop, with the time zone of its days and the currency of its documents."""

    name: str
    iana_timezone: str
    currency_code: str
