"""What ought to be in Xero, day by day: the Contacts, Items and order books that the extracted records call for.

This module asks `books/` and settles what only a look at the mapping and at Xero can settle: Item codes already taken,
document numbers that belong to somebody else. Whether a wanted record is new, changed or there already is decided in
`plan.py`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.books.contacts import build_contact, build_order_contact
from shopify_xero_pipeline.books.items import DERIVED_CODE, build_item
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, PostedRecords
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.order_books_cache import OrderBooksCache
from shopify_xero_pipeline.shopify.models import Customer, Order, Product, Variant, VariantRef
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import Contact, CreditNote, Document, Item, Organisation

ORDER_LINK = re.compile(r'"Url":"https://admin\.shopify\.com/store/[^"/]+/orders/(\d+)"')


def desired_contacts(
    customers: Mapping[date, Sequence[Customer]], orders: Mapping[date, Sequence[Order]], policy: BooksPolicy
) -> dict[date, list[Contact]]:
    """Return each day's Contacts: of its customers and of its orders' buyers, each once a day."""
    wanted = {}
    for day in sorted({*customers, *orders}):
        found = [build_contact(customer, policy) for customer in customers.get(day, ())]
        found += [build_order_contact(order, policy) for order in orders.get(day, ())]
        wanted[day] = list({contact.shopify_id: contact for contact in found}.values())
    return wanted


def desired_items(
    products: Mapping[date, Sequence[Product]],
    orders: Mapping[date, Sequence[Order]],
    *,
    shop_currency: str,
    base_currency: str,
    known: KnownRecords,
) -> dict[date, list[Item]]:
    """Return each day's Items: of its products' variants and of the variants its orders name, each once a day.

    A code once given stays, whether the mapping says so or Xero shows one that only we give; a SKU goes to the first
    variant that asks for it, every other one gets a code of its own.
    """
    codes = {row.natural_key[1:]: row.natural_key for row in known.mirror if DERIVED_CODE.fullmatch(row.natural_key)}
    codes |= {key: row.natural_key for key, row in known.mapped.items()}
    taken = {code.casefold(): key for key, code in codes.items()}
    wanted: dict[date, list[Item]] = {}
    for day in sorted({*products, *orders}):
        found: dict[str, Item] = {}
        for title, variant in _variants(products.get(day, ()), orders.get(day, ())):
            key = variant.legacy_id
            found[key] = build_item(
                variant,
                title,
                shop_currency=shop_currency,
                base_currency=base_currency,
                taken=taken,
                code=codes.get(key),
            )
            codes[key] = found[key].code
            taken[codes[key].casefold()] = key
        wanted[day] = list(found.values())
    return wanted


def desired_order_books(
    orders: Mapping[date, Sequence[Order]],
    policy: BooksPolicy,
    organisation: Organisation,
    ledgers: Mapping[str, PostedRecords],
    documents: Iterable[MirrorRecord],
    shop_handle: str | None,
    cache: OrderBooksCache,
) -> dict[date, list[OrderBooks]]:
    """Return the books of each day's orders; a number that another order or somebody else uses is given up.

    Args:
        orders: by day.
        policy: the merchant's choices.
        organisation: Xero's settings.
        ledgers: what is posted, by order id.
        documents: the Invoices and Credit Notes that Xero shows.
        shop_handle: for links to the orders.
        cache: of the run, with the same policy and shop.
    """
    owners = {row.natural_key.casefold(): _order_of(row) for row in documents}

    def keep(order: Order) -> OrderBooks:
        ledger = ledgers.get(order.legacy_id, PostedRecords())
        kept = cache.books(order, organisation, ledger)
        clashes = {one.number for one in kept.documents if _is_taken(one, order.legacy_id, owners)}
        if clashes:
            kept = build_order_books(order, policy, organisation, ledger, shop_handle=shop_handle, taken=clashes)
        owners.update({document.number.casefold(): order.legacy_id for document in kept.documents})
        return kept

    return {day: [keep(order) for order in found] for day, found in orders.items()}


def foreign_document_numbers(documents: Iterable[MirrorRecord], prefix: str) -> list[str]:
    """Return the numbers of documents in Xero that are not of these books and begin as ours do: prefix and a digit."""
    begins = prefix.casefold()
    numbers = (row.natural_key for row in documents if not _order_of(row))
    return sorted(one for one in numbers if one.casefold().startswith(begins) and one[len(begins) :][:1].isdigit())


def _variants(products: Sequence[Product], orders: Sequence[Order]) -> Iterator[tuple[str, Variant | VariantRef]]:
    for product in products:
        for variant in product.variants:
            yield product.title, variant
    for order in orders:
        for line in order.line_items:
            if line.variant is not None and line.product is not None:
                yield line.product.title, line.variant


def _is_taken(document: Document, order_id: str, owners: Mapping[str, str]) -> bool:
    """Tell whether a number belongs to another order, or to somebody else; a Credit Note's holds an id of Shopify's."""
    owner = owners.get(document.number.casefold(), order_id)
    return owner != order_id and not (owner == "" and isinstance(document, CreditNote))


def _order_of(row: MirrorRecord) -> str:
    """Return the order a document of Xero belongs to, or '' for somebody else's.

    Its reference says so, and where a person changed that, an Invoice's link to the order.
    """
    found = references.order_ids(row.reference) or ORDER_LINK.findall(row.payload)
    return found[0] if found else ""
