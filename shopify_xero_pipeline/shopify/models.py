"""What Shopify tells us, typed: customers, products, orders with their whole history.

Only shapes belong here, one class for each GraphQL type the documents in `queries/` ask for, in the API's own names
(snake case). No arithmetic, no policy. Money is `Decimal` in the currency's main unit; instants are UTC. Enumerations
stay text, so that a value Shopify adds tomorrow is carried to the books, which block what they do not know, instead of
failing the extraction.
"""

from collections.abc import Container
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


def legacy_id(gid: str) -> str:
    """Return the digits of a global id: `gid://shopify/Order/1234?x=1` gives `1234`."""
    return gid.rsplit("/", 1)[-1].split("?", 1)[0]


class ShopifyModel(BaseModel):
    """Base of all: frozen, camelCase outside, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )


class Node(ShopifyModel):
    """Anything with a global id."""

    id: str

    @property
    def legacy_id(self) -> str:
        """The digits of the global id, as links and the mapping use them."""
        return legacy_id(self.id)


class Money(ShopifyModel):
    """An amount in a currency's main unit (`MoneyV2`)."""

    amount: Decimal
    currency_code: str


class MoneyBag(ShopifyModel):
    """One amount in the shop's currency and in the customer's."""

    shop_money: Money
    presentment_money: Money


class TaxLine(ShopifyModel):
    """A tax as the order line carries it. `rate` is a fraction (0.2 for 20 %); its price is from before any return."""

    title: str
    rate: Decimal | None = None
    price_set: MoneyBag
    channel_liable: bool | None = None


class SaleTax(Node):
    """The tax of one sale row: only this amount is right for the row."""

    amount: MoneyBag
    tax_line: TaxLine


class DiscountAllocation(ShopifyModel):
    """Real discount money on a line."""

    allocated_amount_set: MoneyBag


class ProductRef(Node):
    """The product behind a line, for account overrides."""

    title: str = ""
    product_type: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()


class VariantRef(Node):
    """The variant behind a line, as far as an Item needs it. `price` is in the shop's currency."""

    title: str = ""
    sku: str | None = None
    price: Decimal = Decimal(0)
    updated_at: datetime | None = None


class LineItem(Node):
    """A line of an order; `sku`, `title`, `variant_title` are snapshots; a deleted product or variant is null."""

    title: str
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    quantity: int
    current_quantity: int
    is_gift_card: bool = False
    original_unit_price_set: MoneyBag
    discount_allocations: tuple[DiscountAllocation, ...] = ()
    tax_lines: tuple[TaxLine, ...] = ()
    product: ProductRef | None = None
    variant: VariantRef | None = None


class ShippingLine(ShopifyModel):
    """A shipping charge; its id may be null."""

    id: str | None = None
    title: str
    code: str | None = None
    original_price_set: MoneyBag
    discounted_price_set: MoneyBag
    is_removed: bool = False
    tax_lines: tuple[TaxLine, ...] = ()


class Sale(Node):
    """One row of the sales ledger. `total_amount` is after discounts and holds tax in both tax modes.

    Source: docs/contracts/shopify_orders.md §4.9.

    `line_type` PRODUCT, TIP, GIFT_CARD, SHIPPING, DUTY, FEE, ADDITIONAL_FEE, ADJUSTMENT; `action_type` ORDER, RETURN,
    UPDATE. `line_item_id` joins `Order.line_items`; `title` names shipping, duty and fee rows.
    """

    line_type: str
    action_type: str
    quantity: int | None = None
    total_amount: MoneyBag
    total_tax_amount: MoneyBag
    total_discount_amount_before_taxes: MoneyBag
    total_discount_amount_after_taxes: MoneyBag
    taxes: tuple[SaleTax, ...] = ()
    line_item_id: str | None = None
    title: str | None = None


class Agreement(Node):
    """An entry of the append-only sales ledger. `reason` ORDER, ORDER_EDIT, REFUND, RETURN; `refund_id` for refunds."""

    happened_at: datetime
    reason: str
    refund_id: str | None = None
    sales: tuple[Sale, ...] = ()


class ExchangeAdjustment(ShopifyModel):
    """What a transaction came to at its parent's rate, and what really moved, both in the shop's currency.

    Money out is negative in Shopify's published sample of a refund (REST Transaction, `currency_exchange_adjustment`).
    """

    original_amount_set: Money
    final_amount_set: Money


class Transaction(Node):
    """A movement of money, or an attempt at one; only status SUCCESS moves any (docs/contracts/shopify_orders.md §4.6).

    `currency_exchange_adjustment` is set where the customer pays in another currency and its rate moved since the
    parent transaction.
    """

    kind: str
    status: str
    gateway: str | None = None
    amount_set: MoneyBag
    amount_rounding_set: MoneyBag | None = None
    currency_exchange_adjustment: ExchangeAdjustment | None = None
    created_at: datetime
    processed_at: datetime | None = None
    parent_id: str | None = None
    payment_id: str | None = None
    test: bool = False


class OrderAdjustment(Node):
    """The difference between a refund as calculated and as made."""

    amount_set: MoneyBag
    tax_amount_set: MoneyBag
    reason: str | None = None


class RefundLineItem(ShopifyModel):
    """Units taken back by a refund."""

    id: str | None = None
    quantity: int
    restock_type: str = "NO_RESTOCK"
    subtotal_set: MoneyBag
    total_tax_set: MoneyBag
    line_item_id: str


class RefundShippingLine(Node):
    """Shipping given back by a refund."""

    subtotal_amount_set: MoneyBag
    tax_amount_set: MoneyBag


class Refund(Node):
    """A refund record; whether money moved is said by its transactions alone."""

    created_at: datetime | None = None
    processed_at: datetime
    total_refunded_set: MoneyBag
    refund_line_items: tuple[RefundLineItem, ...] = ()
    refund_shipping_lines: tuple[RefundShippingLine, ...] = ()
    order_adjustments: tuple[OrderAdjustment, ...] = ()
    transaction_ids: tuple[str, ...] = ()


class Address(ShopifyModel):
    """A postal address; every field may be missing."""

    company: str | None = None
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
    """A customer; name, e-mail and telephone may each be missing (guests, redaction, protected data not granted)."""

    display_name: str = ""
    first_name: str | None = None
    last_name: str | None = None
    default_email_address: EmailAddress | None = None
    default_phone_number: PhoneNumber | None = None
    default_address: Address | None = None
    updated_at: datetime

    def redacted(self) -> "Customer":
        """Return the customer with nothing but its id, as Shopify shows one whose data was erased."""
        return Customer(id=self.id, updated_at=self.updated_at)

    def redacted_if(self, customers: Container[str]) -> "Customer":
        """Return the customer, forgotten if its id (digits) is one of those."""
        return self.redacted() if self.legacy_id in customers else self


class Company(Node):
    """The company that bought, for B2B orders."""

    name: str


class PaymentSchedule(ShopifyModel):
    """One instalment of payment terms."""

    due_at: datetime | None = None


class PaymentTerms(ShopifyModel):
    """Payment terms of an order that is paid later."""

    payment_terms_name: str | None = None
    payment_schedules: tuple[PaymentSchedule, ...] = ()


class Order(Node):
    """An order with its whole history: lines, sales ledger, money, refunds."""

    name: str
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None = None
    test: bool = False
    edited: bool = False
    taxes_included: bool = False
    currency_code: str
    presentment_currency_code: str
    display_financial_status: str | None = None
    source_name: str | None = None
    original_total_price_set: MoneyBag
    total_price_set: MoneyBag
    current_total_price_set: MoneyBag
    current_total_tax_set: MoneyBag
    net_payment_set: MoneyBag
    total_outstanding_set: MoneyBag
    customer: Customer | None = None
    company: Company | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    payment_terms: PaymentTerms | None = None
    line_items: tuple[LineItem, ...] = ()
    shipping_lines: tuple[ShippingLine, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    refunds: tuple[Refund, ...] = ()

    def redacted_if(self, customers: Container[str]) -> "Order":
        """Return the order, its customer forgotten if its id (digits) is one of those; no other fact changes."""
        known = self.customer and self.customer.redacted_if(customers)
        return self if known is self.customer else self.model_copy(update={"customer": known})


class ChangedOrder(Node):
    """That an order changed: enough to find the day it belongs to."""

    processed_at: datetime
    updated_at: datetime


class TransactionStatus(Node):
    """A transaction by its status alone: enough to see whether money that was pending has come to rest."""

    status: str
    parent_id: str | None = None


class OrderMoney(ChangedOrder):
    """How an order's money stands, read from the record itself and not from the search index."""

    transactions: tuple[TransactionStatus, ...] = ()


class Variant(Node):
    """A product variant. `price` is in the shop's currency."""

    title: str = ""
    display_name: str = ""
    sku: str | None = None
    price: Decimal = Decimal(0)
    updated_at: datetime


class Product(Node):
    """A product with all its variants."""

    title: str
    product_type: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()
    status: str = "ACTIVE"
    is_gift_card: bool = False
    updated_at: datetime
    variants: tuple[Variant, ...] = ()


class Shop(Node):
    """The shop itself: zone and currency decide days and documents."""

    name: str
    myshopify_domain: str
    iana_timezone: str
    currency_code: str
