"""The desired state of Xero, as the Contacts, Items and order books of each day.

The rules are in `books/`. This module adds only the decisions that need the mapping and Xero: Item codes in use, and
document numbers of other owners. The comparison is in `plan.py`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.books.contacts import build_contact, build_order_contact
from shopify_xero_pipeline.books.items import DERIVED_CODE, build_item
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, PostedRecords
from shopify_xero_pipeline.changes.earlier_days import EarlierDays
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.order_books_cache import OrderBooksCache
from shopify_xero_pipeline.shopify.models import Customer, Order, Product, Variant
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Contact, CreditNote, Document, Item, Organisation


def desired_contacts(
    customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]], policy: BooksPolicy
) -> dict[date, list[Contact]]:
    """Return each day's Contacts, of its customers and of its orders' buyers, each Contact once a day.

    Args:
        customers: customers by day, in the shop's time zone.
        orders: orders by day, in the shop's time zone.
        policy: the merchant's choices.
    """
    contacts_by_day = {}
    for day in sorted({*customers, *orders}):
        contacts = [build_contact(customer, policy) for customer in customers.get(day, ())]
        contacts += [build_order_contact(order, policy) for order in orders.get(day, ())]
        contacts_by_day[day] = list({contact.shopify_id: contact for contact in contacts}.values())
    return contacts_by_day


def desired_items(
    products: Mapping[date, Sequence[Product]],
    orders: Mapping[date, Sequence[Order]],
    *,
    shop_currency: str,
    base_currency: str,
    known: KnownRecords,
    earlier: EarlierDays | None = None,
) -> dict[date, list[Item]]:
    """Return each day's Items, of its products' variants and of its orders' variants, each Item once a day.

    A variant keeps its Item code. The code comes from the mapping, or from Xero if it is a derived code. The first
    variant with a SKU gets the SKU as its code; every other variant gets a derived code.

    Args:
        products: products by day, in the shop's time zone.
        orders: orders by day, in the shop's time zone.
        shop_currency: the currency of Shopify's prices.
        base_currency: Xero's base currency.
        known: the mapping and mirror of Items.
        earlier: the Items of the earlier days of the range; those of these days are added.
    """
    earlier = earlier or EarlierDays()
    codes = {row.natural_key[1:]: row.natural_key for row in known.mirror if DERIVED_CODE.fullmatch(row.natural_key)}
    codes |= {key: row.natural_key for key, row in known.mapped.items()}
    taken = {code.casefold(): key for assigned in (codes, earlier.item_codes) for key, code in assigned.items()}
    codes |= earlier.item_codes
    items_by_day: dict[date, list[Item]] = {}
    for day in sorted({*products, *orders}):
        items: dict[str, Item] = {}
        for title, variant in variants_with_titles(products.get(day, ()), orders.get(day, ())):
            key = variant.legacy_id
            items[key] = build_item(
                variant,
                title,
                shop_currency=shop_currency,
                base_currency=base_currency,
                taken=taken,
                code=codes.get(key),
            )
            codes[key] = earlier.item_codes[key] = items[key].code
            taken[codes[key].casefold()] = key
        items_by_day[day] = list(items.values())
    return items_by_day


def desired_order_books(
    orders: Mapping[date, Sequence[Order]],
    policy: BooksPolicy,
    organisation: Organisation,
    ledgers: Mapping[str, PostedRecords],
    documents_with_numbers: Callable[[Collection[str]], Iterable[MirrorRecord]],
    shop_handle: str | None,
    cache: OrderBooksCache,
    earlier: EarlierDays | None = None,
) -> dict[date, list[OrderBooks]]:
    """Return the books of each day's orders. A number that is in use elsewhere is replaced.

    Args:
        orders: orders by day, in the shop's time zone.
        policy: the merchant's choices.
        organisation: Xero's settings.
        ledgers: posted records by order id.
        documents_with_numbers: returns the documents in the mirror that have one of some numbers.
        shop_handle: the shop's handle, for links to orders.
        cache: the books of this run, for the same policy and shop.
        earlier: the document numbers of the earlier days of the range; those of these days are added.
    """
    assigned = (earlier or EarlierDays()).document_numbers
    posted = {
        order.legacy_id: ledgers.get(order.legacy_id, PostedRecords()) for day in orders.values() for order in day
    }
    first_books = [
        cache.books(order, organisation, posted[order.legacy_id]) for day in orders.values() for order in day
    ]
    numbers = {document.number for books in first_books for document in books.documents}
    owners = {row.natural_key.casefold(): _order_id_of(row) for row in documents_with_numbers(numbers)}
    owners |= {number: assigned[number] for number in map(str.casefold, numbers) if number in assigned}

    def build_books(order: Order) -> OrderBooks:
        ledger = posted[order.legacy_id]
        books = cache.books(order, organisation, ledger)
        taken_numbers = {
            document.number for document in books.documents if _is_taken(document, order.legacy_id, owners)
        }
        if taken_numbers:
            books = build_order_books(order, policy, organisation, ledger, shop_handle=shop_handle, taken=taken_numbers)
        own_numbers = {document.number.casefold(): order.legacy_id for document in books.documents}
        owners.update(own_numbers)
        assigned.update(own_numbers)
        return books

    return {day: [build_books(order) for order in day_orders] for day, day_orders in orders.items()}


def variants_with_titles(products: Iterable[Product], orders: Iterable[Order]) -> Iterator[tuple[str, Variant]]:
    """Yield the variants of products and of orders' lines, each with the title of its product.

    Args:
        products: products of the plan.
        orders: orders of the plan.
    """
    for product in products:
        for variant in product.variants:
            yield product.title, variant
    for order in orders:
        for line in order.line_items:
            if line.variant is not None and line.product is not None:
                yield line.product.title, line.variant


def foreign_document_numbers(documents: Iterable[MirrorRecord], prefix: str) -> list[str]:
    """Return the numbers in Xero that begin with a prefix and a digit, but belong to no order of these books.

    Args:
        documents: Invoices and Credit Notes in the mirror, among them all that begin with the prefix.
        prefix: the prefix of our document numbers.
    """
    begins = prefix.casefold()
    numbers = (row.natural_key for row in documents if not _order_id_of(row))
    return sorted(
        number for number in numbers if number.casefold().startswith(begins) and number[len(begins) :][:1].isdigit()
    )


def _is_taken(document: Document, order_id: str, owners: Mapping[str, str]) -> bool:
    """Return whether another order or a foreign document uses a number.

    A foreign document does not block a Credit Note, whose number contains an id of Shopify.
    """
    owner = owners.get(document.number.casefold(), order_id)
    return owner != order_id and not (owner == "" and isinstance(document, CreditNote))


def _order_id_of(row: MirrorRecord) -> str:
    """Return the id of a document's order, or '' for a foreign document.

    The id comes from the reference or, if a person changed it, from an Invoice's link to the order.
    """
    order_ids = references.orders_of(row.reference, row.payload)
    return order_ids[0] if order_ids else ""
