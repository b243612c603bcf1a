"""Orders, organisations and ledgers for tests, built from the few figures that matter to one.

Amounts are given as text ("33.00") and stand in the shop's currency. Ids are small numbers. `order()` works out the
totals Shopify would state from the agreements and transactions it is given; a test that wants a shop to contradict
itself overrides them.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.records import (
    OrderBooks,
    PostedAllocation,
    PostedDocument,
    PostedPayment,
    PostedRecords,
)
from shopify_xero_pipeline.shopify.models import (
    Agreement,
    Customer,
    EmailAddress,
    ExchangeAdjustment,
    LineItem,
    Money,
    MoneyBag,
    Order,
    ProductRef,
    Refund,
    Sale,
    SaleTax,
    TaxLine,
    Transaction,
    Variant,
)
from shopify_xero_pipeline.xero.models import Account, CreditNote, Invoice, Line, Organisation, TaxRate

NOON = datetime(2026, 9, 22, 0, 0, tzinfo=UTC)  # 22 September, noon in Auckland
MONEY_SIGN = {"SALE": 1, "CAPTURE": 1, "REFUND": -1, "CHANGE": -1}


def gid(kind: str, number: int | str) -> str:
    """Return a global id."""
    return f"gid://shopify/{kind}/{number}"


def bag(amount: str | Decimal, currency: str = "NZD", presentment: tuple[str, str] | None = None) -> MoneyBag:
    """Return an amount in the shop's currency, and the same or another in the customer's."""
    money = Money(amount=Decimal(amount), currency_code=currency)
    other = Money(amount=Decimal(presentment[0]), currency_code=presentment[1]) if presentment else money
    return MoneyBag(shop_money=money, presentment_money=other)


def tax(
    amount: str,
    title: str = "GST",
    rate: str | None = "0.15",
    channel_liable: bool | None = None,
    currency: str = "NZD",
    presentment: tuple[str, str] | None = None,
) -> SaleTax:
    """Return a tax of a sale row."""
    line = TaxLine(title=title, rate=None if rate is None else Decimal(rate), channel_liable=channel_liable)
    return SaleTax(amount=bag(amount, currency, presentment), tax_line=line)


def sale(
    total: str,
    *taxes: SaleTax,
    number: int = 1,
    line_type: str = "PRODUCT",
    action: str = "ORDER",
    quantity: int | None = 1,
    line: int | None = None,
    title: str | None = None,
    total_tax: str | None = None,
    currency: str = "NZD",
    presentment: tuple[str, str] | None = None,
) -> Sale:
    """Return a row of the sales ledger; `total` includes tax, returns are negative."""
    own_tax = sum((entry.amount.shop_money.amount for entry in taxes), Decimal(0))
    return Sale(
        id=gid("Sale", number),
        line_type=line_type,
        action_type=action,
        quantity=quantity,
        total_amount=bag(total, currency, presentment),
        total_tax_amount=bag(own_tax if total_tax is None else total_tax, currency),
        total_discount_amount_before_taxes=bag("0", currency),
        taxes=taxes,
        line_item_id=None if line is None else gid("LineItem", line),
        title=title,
    )


def line_item(
    number: int,
    unit: str,
    *,
    title: str = "Mug",
    variant_title: str | None = None,
    sku: str | None = None,
    vendor: str | None = None,
    product: ProductRef | None = None,
    variant: int | None = None,
    currency: str = "NZD",
) -> LineItem:
    """Return an order line with its unit price."""
    return LineItem(
        id=gid("LineItem", number),
        title=title,
        variant_title=variant_title,
        sku=sku,
        vendor=vendor,
        original_unit_price_set=bag(unit, currency),
        product=product or (ProductRef(id=gid("Product", number)) if variant is not None else None),
        variant=None if variant is None else Variant(id=gid("ProductVariant", variant)),
    )


def agreement(
    number: int, *sales: Sale, reason: str = "ORDER", at: datetime = NOON, refund: int | None = None
) -> Agreement:
    """Return an entry of the sales ledger."""
    return Agreement(
        id=gid("SalesAgreement", number),
        happened_at=at,
        reason=reason,
        refund_id=None if refund is None else gid("Refund", refund),
        sales=sales,
    )


def transaction(
    number: int,
    amount: str,
    kind: str = "SALE",
    *,
    gateway: str | None = "shopify_payments",
    status: str = "SUCCESS",
    at: datetime = NOON,
    parent: int | None = None,
    rounding: str | None = None,
    currency: str = "NZD",
    presentment: tuple[str, str] | None = None,
    exchange: ExchangeAdjustment | None = None,
) -> Transaction:
    """Return a movement of money."""
    return Transaction(
        id=gid("OrderTransaction", number),
        kind=kind,
        status=status,
        gateway=gateway,
        amount_set=bag(amount, currency, presentment),
        amount_rounding_set=None if rounding is None else bag(rounding, currency),
        currency_exchange_adjustment=exchange,
        created_at=at,
        processed_at=at,
        parent_id=None if parent is None else gid("OrderTransaction", parent),
    )


def exchanged(original: str, final: str, currency: str = "NZD") -> ExchangeAdjustment:
    """Return Shopify's statement that a rate moved; both amounts are negative for money out."""
    amounts = (Money(amount=Decimal(amount), currency_code=currency) for amount in (original, final))
    return ExchangeAdjustment(original_amount_set=next(amounts), final_amount_set=next(amounts))


def refund(number: int, *transactions: int, at: datetime = NOON) -> Refund:
    """Return a refund with the ids of its transactions."""
    return Refund(
        id=gid("Refund", number),
        processed_at=at,
        transaction_ids=tuple(gid("OrderTransaction", entry) for entry in transactions),
    )


def customer(number: int = 7, name: str = "Aroha Ngata", email: str | None = "aroha@example.com") -> Customer:
    """Return a customer."""
    return Customer(
        id=gid("Customer", number),
        display_name=name,
        default_email_address=None if email is None else EmailAddress(email_address=email),
        updated_at=NOON,
    )


def order(
    *agreements: Agreement,
    number: int = 5001,
    name: str = "#1001",
    at: datetime = NOON,
    lines: Sequence[LineItem] = (),
    transactions: Sequence[Transaction] = (),
    refunds: Sequence[Refund] = (),
    taxes_included: bool = True,
    currency: str = "NZD",
    presentment: str | None = None,
    buyer: Customer | None = None,
    **stated: Any,
) -> Order:
    """Return an order; totals are those its agreements and transactions add up to, unless `stated` says otherwise."""
    totals = [sum((row.total_amount.shop_money.amount for row in entry.sales), Decimal(0)) for entry in agreements]
    current = sum(totals, Decimal(0))
    own_tax = sum((row.total_tax_amount.shop_money.amount for entry in agreements for row in entry.sales), Decimal(0))
    money = sum(
        (
            entry.amount_set.shop_money.amount * MONEY_SIGN.get(entry.kind, 0)
            for entry in transactions
            if entry.status == "SUCCESS"
        ),
        Decimal(0),
    )
    began = [total for entry, total in zip(agreements, totals, strict=True) if entry.reason == "ORDER"]
    content: dict[str, object] = {
        "id": gid("Order", number),
        "name": name,
        "processed_at": at,
        "updated_at": at,
        "taxes_included": taxes_included,
        "currency_code": currency,
        "presentment_currency_code": presentment or currency,
        "original_total_price_set": bag(began[0] if began else "0", currency),
        "current_total_price_set": bag(current, currency),
        "current_total_tax_set": bag(own_tax, currency),
        "net_payment_set": bag(money, currency),
        "total_outstanding_set": bag(current - money, currency),
        "customer": buyer or customer(),
        "line_items": tuple(lines),
        "agreements": agreements,
        "transactions": tuple(transactions),
        "refunds": tuple(refunds),
    }
    return Order.model_validate({**content, **stated})


def account(code: str, kind: str, account_class: str, *, pays: bool = False, currency: str | None = None) -> Account:
    """Return an active account of the chart."""
    return Account(
        code=code,
        name=code,
        type=kind,
        account_class=account_class,
        status="ACTIVE",
        enable_payments=pays,
        currency=currency,
    )


def organisation(
    *,
    base: str = "NZD",
    currencies: Sequence[str] = ("NZD",),
    locked: date | None = None,
    accounts: Sequence[Account] = (),
) -> Organisation:
    """Return the demo company: the chart and the tax rates that the repository's `books.yaml` names."""
    revenue = [account(code, "REVENUE", "REVENUE") for code in ("200", "205", "206", "207", "208")]
    liabilities = [account("209", "CURRLIAB", "LIABILITY")]
    liabilities += [account(code, "CURRLIAB", "LIABILITY", pays=True) for code in ("830", "835")]
    expenses = [account(code, "EXPENSE", "EXPENSE") for code in ("860", "861")]
    banks = [account(code, "BANK", "ASSET", currency=base) for code in ("601", "602", "603", "604", "605")]
    replaced = {entry.code for entry in accounts}
    chart = [entry for entry in (*revenue, *liabilities, *expenses, *banks) if entry.code not in replaced]
    everything = frozenset({"ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"})
    return Organisation(
        name="Demo Company (NZ)",
        base_currency=base,
        currencies=frozenset(currencies),
        period_lock_date=locked,
        accounts=(*chart, *accounts),
        tax_rates=(
            tax_rate("OUTPUT2", "15", everything - {"EXPENSE"}),
            tax_rate("ZERORATED", "0", frozenset({"LIABILITY", "REVENUE"})),
            tax_rate("NONE", "0", everything),
        ),
    )


def tax_rate(tax_type: str, rate: str, applies_to: frozenset[str], status: str = "ACTIVE") -> TaxRate:
    """Return a tax rate of Xero's."""
    return TaxRate(tax_type=tax_type, name=tax_type, status=status, effective_rate=Decimal(rate), applies_to=applies_to)


def ledger_of(books: OrderBooks) -> PostedRecords:
    """Return the ledger of an order whose books were posted as they stand."""
    return PostedRecords(
        documents=tuple(
            PostedDocument(
                kind=entry.kind,
                shopify_id=entry.shopify_id,
                number=entry.number,
                date=entry.date,
                contact_id=entry.contact_id,
                total=entry.total,
            )
            for entry in books.documents
        ),
        payments=tuple(
            PostedPayment(
                transaction_id=entry.shopify_id.split("/", 1)[0],
                document_id=entry.document_id,
                amount=entry.amount,
                date=entry.date,
                account=entry.account_code,
            )
            for entry in books.payments
        ),
        allocations=tuple(
            PostedAllocation(
                credit_note_id=entry.credit_note_id, invoice_id=entry.invoice_id, amount=entry.amount, date=entry.date
            )
            for entry in books.allocations
        ),
    )


def shown_line(line: Line) -> tuple[str, str, str, str]:
    """Return what matters of a line: its amount, tax, account and tax type."""
    return str(line.amount), str(line.tax_amount), line.account_code, line.tax_type


def shown_documents(books: OrderBooks) -> list[tuple[str, str, str]]:
    """Return number, total and tax of each document, credit notes with a minus."""
    return [
        (entry.number, f"{'-' if isinstance(entry, CreditNote) else ''}{entry.total}", str(entry.total_tax))
        for entry in books.documents
    ]


def shown_payments(books: OrderBooks) -> list[tuple[str, str, str]]:
    """Return document number, amount and account of each payment."""
    return [(entry.document_number, str(entry.amount), entry.account_code) for entry in books.payments]


def shown_allocations(books: OrderBooks) -> list[tuple[str, str, str]]:
    """Return credit note, invoice and amount of each allocation."""
    return [(entry.credit_note_number, entry.invoice_number, str(entry.amount)) for entry in books.allocations]


def invoice(books: OrderBooks, number: str) -> Invoice:
    """Return an invoice of an order by its number."""
    return next(entry for entry in books.documents if isinstance(entry, Invoice) and entry.number == number)
