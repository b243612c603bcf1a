"""The policies orders are proved under, and the words a blocked order must be refused with.

Only settings belong here: several `books.yaml` over the taxes and gateways the model knows, each with a type or account
of its own, so that what was booked where can be told apart; and books.md's reasons for refusing an order.
"""

from shopify_xero_pipeline.books.policy import BooksPolicy

GATEWAYS = "payments: {shopify_payments: '601', paypal: '602', cash: '603', manual: '604', Bank Deposit: '604',"
COMMON = (
    "start_date: 2026-09-01\n" + GATEWAYS + " shop_cash: '605', shopify_store_credit: '605'}\ntax:\n"
    "  untaxed: UNTAXED\n  channel_liable: CHANNEL\n"
)
LEFT_TO_OTHERS = COMMON.replace("paypal: '602', cash: '603'", "paypal: none, cash: none")
RATES = """  rates:
    - {title: GST, rate: 0.15, tax_type: T15}
    - {title: VAT, rate: 0.2, tax_type: T20}
    - {title: Zero rated, rate: 0, tax_type: T0}
    - {title: County, rate: 0.025, tax_type: T25}
    - {combination: [{title: State, rate: 0.04}, {title: County, rate: 0.025}, {title: City}], tax_type: T775}
    - {combination: [{title: GST, rate: 0.05}, {title: PST, rate: 0.07}], tax_type: T12}
"""
TAX_TYPES = {
    (("GST", 1500),): "T15",
    (("VAT", 2000),): "T20",
    (("Zero rated", 0),): "T0",
    (("County", 250),): "T25",
    (("State", 400), ("County", 250), ("City", 125)): "T775",
    (("GST", 500), ("PST", 700)): "T12",
}
TAX_ACCOUNTS = {"GST": "821", "VAT": "822", "State": "823", "County": "824", "City": "825", "PST": "826"}
LINES = "  mode: lines\n  lines:\n" + "".join(
    f"    - {{title: {title}, account: '{account}'}}\n" for title, account in TAX_ACCOUNTS.items()
)
POLICIES = {
    "placed": BooksPolicy.from_yaml("post_when: placed\n" + COMMON + RATES, "books.yaml"),
    "paid": BooksPolicy.from_yaml(COMMON + RATES, "books.yaml"),
    "adjust": BooksPolicy.from_yaml("refund: {uncovered: adjust}\npost_when: placed\n" + COMMON + RATES, "books.yaml"),
    "zero": BooksPolicy.from_yaml("zero_value: post\npost_when: placed\n" + COMMON + RATES, "books.yaml"),
    "lines": BooksPolicy.from_yaml(COMMON + LINES, "books.yaml"),
    "others": BooksPolicy.from_yaml("post_when: placed\n" + LEFT_TO_OTHERS + RATES, "books.yaml"),
}
REASONS = {
    "overpaid": "payments exceed the invoices",
    "uncovered": "refunds exceed the credit notes",
    "surplus given back": " exceed the ",
    "third decimal": "currency_precision",
    "channel gap": "Shopify calls the order paid, but",
    "unmapped gateway": "no account for money through klarna",
    "no gateway": "names no gateway",
    "unknown status": "has the status UNKNOWN",
    "unknown kind": "has the kind BARTER",
    "unknown line": "has the type UNKNOWN",
    "unknown action": "has the action UNKNOWN",
    "unknown reason": "has the reason UNKNOWN",
    "unmapped tax": "Luxury 33 %",
    "taxed gift card": "is a gift card with tax",
    "taxes differ": "its taxes add up to",
    "total differs": "Shopify's current total is",
    "gap": "a gap of",
    "payment differs": "Shopify's net payment is",
    "lone change": "of change (till)",
    "began below nothing": "original total is negative",
}
MONEY_TROUBLE = frozenset({"surplus given back", "overpaid", "uncovered"})


def refused_for(oddity: str, said: str) -> bool:
    """Return whether a reason is the one an oddity must be refused for."""
    return REASONS[oddity] in said
