"""Hand-written broken set-ups, each with one typical mistake and the message that must name it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import SCOPES
from shopify_xero_pipeline.sandbox.xero.wire import ms_date
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp, day

Organisation = Callable[[XeroBooks], None]


def account(code: str, **changes: Any) -> Organisation:
    """Change an account of the chart."""

    def change(books: XeroBooks) -> None:
        changed = books.account(code)
        assert changed is not None
        changed |= changes

    return change


def several(*changes: Organisation) -> Organisation:
    def change(books: XeroBooks) -> None:
        for each in changes:
            each(books)

    return change


def organisation(**changes: Any) -> Organisation:
    return lambda books: books.organisation.update(changes)


def base_currency(code: str, *others: str) -> Organisation:
    """Set another base currency, with bank accounts without a currency of their own."""

    def change(books: XeroBooks) -> None:
        books.organisation["BaseCurrency"] = code
        books.currencies[:] = [{"Code": currency, "Description": ""} for currency in (code, *others)]
        for changed in books.accounts:
            changed.pop("CurrencyCode", None)

    return change


def tax_rate(tax_type: str, rate: str, *parts: tuple[str, str, bool]) -> Organisation:
    """Add a tax rate with components, each a name, a percentage and whether it is compound."""
    components = [
        {"Name": name, "Rate": Decimal(per_cent), "IsCompound": compound} for name, per_cent, compound in parts
    ]

    def change(books: XeroBooks) -> None:
        known = next(known for known in books.tax_rates if known["TaxType"] == "OUTPUT2")
        figures = {"DisplayTaxRate": Decimal(rate), "EffectiveRate": Decimal(rate), "TaxComponents": components}
        books.tax_rates.append({**known, "TaxType": tax_type, "Name": tax_type, **figures})

    return change


def somebody_elses_invoice(books: XeroBooks) -> None:
    from shopify_xero_pipeline.clock import ManualClock
    from shopify_xero_pipeline.sandbox.xero.human_edits import Person
    from shopify_xero_pipeline_tests.campaigns.set_ups.play import NOW

    line = {"Description": "By hand", "UnitAmount": 115, "AccountCode": "200", "TaxType": "NONE"}
    by_hand = {"Type": "ACCREC", "InvoiceNumber": "SH-7", "Contact": {"Name": "Somebody else"}, "DueDate": "2026-09-22"}
    Person(books, ManualClock(NOW)).enter_invoice({**by_hand, "LineItems": [line], "Status": "AUTHORISED"})


def named(setting: str, default: str, code: str) -> tuple[tuple[str, str], ...]:
    """Replace an account in `books.yaml`."""
    return ((f'{setting}: "{default}"', f'{setting}: "{code}"'),)


DEFAULTS = {
    "sales": "200",
    "shipping": "205",
    "fees": "206",
    "duties": "207",
    "adjustments": "208",
    "tips": "209",
    "gift_cards": "830",
    "channel_tax": "835",
    "rounding": "860",
}

GATEWAYS = (
    'payments:\n  shopify_payments: "601"\n  paypal: "602"\n  cash: "603"\n  manual: "604"\n  Bank Deposit: "604" '
)
TAX_RULES = "    - {title: GST, rate: 0.15, tax_type: OUTPUT2}\n    - {rate: 0, tax_type: ZERORATED}\n"

MISSING_ACCOUNTS = [
    *(
        SetUp(f"no such account: {name}", f"accounts.{name} names account 999, which", named(name, code, "999"))
        for name, code in DEFAULTS.items()
    ),
    SetUp(
        "no such account: an override",
        "accounts.overrides[0] names account 999, which Xero does not have",
        (("overrides: []", 'overrides: [{sku: A, account: "999"}]'),),
    ),
    SetUp("no such account: a gateway", "payments.paypal names account 999, which", named("paypal", "602", "999")),
    SetUp(
        "no such account: a tax line",
        "tax.lines[0] names account 999, which Xero does not have",
        (("mode: rates", "mode: lines"), ("lines: []", 'lines: [{title: GST, account: "999"}]')),
    ),
    SetUp(
        "archived: sales",
        "accounts.sales names account 200 Sales, which is archived",
        xero=account("200", Status="ARCHIVED"),
    ),
    SetUp(
        "archived: gift cards",
        "accounts.gift_cards names account 830 Gift Card Liability, which is archived",
        xero=account("830", Status="ARCHIVED"),
    ),
    SetUp(
        "archived: a clearing account",
        "payments.cash names account 603 Cash Clearing, which is archived",
        xero=account("603", Status="ARCHIVED"),
    ),
]

WRONG_CLASSES = [
    SetUp(
        "sales on a cost",
        "accounts.sales names account 404 Bank Fees, whose class in Xero is EXPENSE",
        named("sales", "200", "404"),
    ),
    SetUp(
        "sales on a bank account", "account 601 Shopify Payments Clearing, a bank account", named("sales", "200", "601")
    ),
    SetUp(
        "sales on a liability",
        "accounts.sales names account 209 Tips, whose class in Xero is LIABILITY",
        named("sales", "200", "209"),
        warned=True,
    ),
    SetUp(
        "shipping on an asset",
        "accounts.shipping names account 605 Other Gateways Clearing, whose class in Xero is ASSET",
        named("shipping", "205", "605"),
        xero=account("605", Type="CURRENT", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "shipping on a cost, for which the tax type is not",
        "OUTPUT2, which Xero does not allow on accounts.shipping 404 (expense)",
        named("shipping", "205", "404"),
    ),
    SetUp(
        "fees on a liability",
        "accounts.fees names account 209 Tips, whose class in Xero is LIABILITY",
        named("fees", "206", "209"),
        warned=True,
    ),
    SetUp(
        "duties on equity",
        "accounts.duties names account 605 Other Gateways Clearing, whose class in Xero is EQUITY",
        named("duties", "207", "605"),
        xero=account("605", Type="EQUITY", Class="EQUITY"),
    ),
    SetUp(
        "adjustments on a liability",
        "accounts.adjustments names account 209 Tips, whose class in Xero is LIABILITY",
        named("adjustments", "208", "209"),
    ),
    SetUp(
        "tips on sales",
        "accounts.tips names account 200 Sales, whose class in Xero is REVENUE",
        named("tips", "209", "200"),
        warned=True,
    ),
    SetUp(
        "tips on a cost",
        "accounts.tips names account 404 Bank Fees, whose class in Xero is EXPENSE",
        named("tips", "209", "404"),
    ),
    SetUp(
        "gift cards on sales",
        "accounts.gift_cards names account 200 Sales, whose class in Xero is REVENUE",
        named("gift_cards", "830", "200"),
    ),
    SetUp(
        "gift cards on sales with payments enabled",
        "accounts.gift_cards names account 200 Sales, whose class in Xero is REVENUE",
        named("gift_cards", "830", "200"),
        xero=account("200", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "gift cards on an asset",
        "accounts.gift_cards names account 605 Other Gateways Clearing, whose class in Xero is ASSET",
        named("gift_cards", "830", "605"),
        xero=account("605", Type="CURRENT", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "gift cards without payments",
        "accounts.gift_cards names account 209 Tips, for which payments are not enabled",
        named("gift_cards", "830", "209"),
    ),
    SetUp(
        "gift cards on corporation tax (stock chart, United Kingdom)",
        "accounts.gift_cards names account 830 Provision for Corporation Tax, which Xero's chart reserves for",
        xero=account("830", Name="Provision for Corporation Tax"),
    ),
    SetUp(
        "channel tax on the directors' loan (stock chart, United Kingdom)",
        "accounts.channel_tax names account 835 Directors' Loan Account, which Xero's chart reserves for another"
        " purpose",
        xero=account("835", Name="Directors' Loan Account"),
    ),
    SetUp(
        "gift cards on income tax (stock chart, New Zealand)",
        "accounts.gift_cards names account 830 Income Tax Payable, which Xero's chart reserves for another purpose",
        xero=account("830", Name="Income Tax Payable"),
    ),
    SetUp(
        "tips on the tax account",
        "accounts.tips names account 820 GST, which Xero's chart reserves",
        named("tips", "209", "820"),
    ),
    SetUp(
        "gift cards and channel tax on one account",
        "accounts.channel_tax and accounts.gift_cards name the same account",
        named("channel_tax", "835", "830"),
        warned=True,
    ),
    SetUp(
        "channel tax on revenue",
        "accounts.channel_tax names account 206 Fees Income, whose class in Xero is REVENUE",
        named("channel_tax", "835", "206"),
        xero=account("206", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "rounding on receivables",
        "accounts.rounding names account 610 Accounts Receivable, which Xero's chart reserves",
        named("rounding", "860", "610"),
    ),
    SetUp(
        "an override on a cost",
        "accounts.overrides[0] names account 404 Bank Fees, whose class in Xero is EXPENSE",
        (("overrides: []", 'overrides: [{sku: A, account: "404"}]'),),
    ),
    SetUp(
        "a gateway on revenue",
        "payments.cash names account 200 Sales, whose class in Xero is REVENUE",
        named("cash", "603", "200"),
    ),
    SetUp(
        "a gateway on revenue with payments enabled",
        "payments.cash names account 200 Sales, whose class in Xero is REVENUE",
        named("cash", "603", "200"),
        xero=account("200", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "a gateway on stock",
        "payments.cash names account 605 Other Gateways Clearing, whose type in Xero is INVENTORY",
        named("cash", "603", "605"),
        xero=account("605", Type="INVENTORY", EnablePaymentsToAccount=True),
    ),
    SetUp(
        "a gateway on the gift-card liability",
        "payments.cash names account 830 Gift Card Liability, whose class in Xero is LIABILITY",
        named("cash", "603", "830"),
        warned=True,
    ),
    SetUp(
        "a gateway on a cost",
        "payments.cash names account 404 Bank Fees, whose class in Xero is EXPENSE",
        named("cash", "603", "404"),
        xero=account("404", EnablePaymentsToAccount=True),
        warned=True,
    ),
    SetUp(
        "a gateway without payments",
        "payments.cash names account 605 Other Gateways Clearing, for which payments are not enabled",
        named("cash", "603", "605"),
        xero=account("605", Type="CURRENT"),
    ),
    SetUp(
        "store credit counted as money",
        "payments.shopify_store_credit names account 605 Other Gateways Clearing, whose class in Xero is ASSET",
        (('paypal: "602"', 'paypal: "602"\n  shopify_store_credit: "605"'),),
        warned=True,
    ),
    SetUp(
        "a tax line on revenue",
        "tax.lines[0] names account 206 Fees Income, whose class in Xero is REVENUE",
        (("mode: rates", "mode: lines"), ("lines: []", 'lines: [{title: GST, account: "206"}]')),
    ),
]

TAXES = [
    SetUp(
        "no such tax type",
        "tax.rates[0].tax_type names the tax type OUTPUT9, which",
        (("tax_type: OUTPUT2", "tax_type: OUTPUT9"),),
    ),
    SetUp(
        "a deleted tax type",
        "names the tax type OUTPUT, which does not exist or is not active in Xero",
        (("tax_type: OUTPUT2", "tax_type: OUTPUT"),),
    ),
    SetUp(
        "a tax type of purchases",
        "names INPUT2, which Xero does not allow on accounts.sales 200 (revenue)",
        (("tax_type: OUTPUT2", "tax_type: INPUT2"),),
    ),
    SetUp(
        "tax.none not for costs",
        "tax.none names ZERORATED, which Xero does not allow on accounts.rounding 860",
        (("none: NONE", "none: ZERORATED"),),
    ),
    SetUp("tax.none of 15 %", "tax.none names OUTPUT2, which is 15 % in Xero", (("none: NONE", "none: OUTPUT2"),)),
    SetUp(
        "tax.untaxed of 15 %",
        "tax.untaxed names OUTPUT2, which is 15 % in Xero",
        (("untaxed: NONE", "untaxed: OUTPUT2"),),
        warned=True,
    ),
    SetUp(
        "no such tax.untaxed",
        "tax.untaxed names the tax type EXEMPT, which does not exist or is not active in Xero",
        (("untaxed: NONE", "untaxed: EXEMPT"),),
    ),
    SetUp(
        "no such type of a country",
        "tax.untaxed_by_country.AU names the tax type EXEMPT",
        (("untaxed_by_country: {}", "untaxed_by_country: {AU: EXEMPT}"),),
    ),
    SetUp(
        "no such tax.channel_liable",
        "tax.channel_liable names the tax type EXEMPT",
        (("channel_liable: NONE", "channel_liable: EXEMPT"),),
    ),
    SetUp(
        "another rate",
        "tax.rates[2].tax_type names OUTPUT2, which is 15 % in Xero, but books.yaml states 12.5 %",
        (
            (
                "    - {rate: 0, tax_type: ZERORATED}",
                "    - {rate: 0, tax_type: ZERORATED}\n    - {rate: 0.125, tax_type: OUTPUT2}",
            ),
        ),
        warned=True,
    ),
    SetUp(
        "another rate that is compound",
        "which is 15.47375 % in Xero (GST 5 %, QST 9.975 % on top of the others), but books.yaml states 14.975 %",
        (
            (
                "    - {rate: 0, tax_type: ZERORATED}",
                "    - {rate: 0, tax_type: ZERORATED}\n    - {rate: 0.14975, tax_type: TAX001}",
            ),
        ),
        xero=tax_rate("TAX001", "15.47375", ("GST", "5", False), ("QST", "9.975", True)),
        warned=True,
    ),
    SetUp(
        "a tax under another title",
        "no tax rate for GST 15 %",
        (("{title: GST, rate: 0.15", "{title: VAT, rate: 0.15"),),
        blocks=True,
    ),
    SetUp(
        "no tax named",
        "tax.rates names no tax",
        (
            (TAX_RULES, ""),
            ("  rates:  ", "  rates: []"),
        ),
        blocks=True,
    ),
    SetUp("no tax line named", "tax.lines names no tax", (("mode: rates", "mode: lines"),), blocks=True),
]

MONEY_AND_DAYS = [
    SetUp(
        "no gateway named",
        "payments names no gateway",
        ((GATEWAYS, "payments: {}"),),
        blocks=True,
    ),
    SetUp(
        "a gateway under its title",
        "no account for money through shopify_payments",
        (("shopify_payments:", "Shopify Payments:"),),
        blocks=True,
    ),
    SetUp(
        "a clearing account in another currency",
        "payments.shopify_payments names account 601 Shopify Payments Clearing, whose currency in Xero is USD",
        xero=account("601", CurrencyCode="USD"),
    ),
    SetUp(
        "a base currency without the shop's",
        "the shop's currency is NZD, which is not enabled in Demo Company (NZ) in Xero",
        xero=base_currency("AUD"),
    ),
    SetUp(
        "a base currency beside the shop's",
        "the shop's currency is NZD, but the base currency of Demo Company (NZ) in Xero is AUD",
        xero=base_currency("AUD", "NZD"),
        warned=True,
    ),
    SetUp(
        "locked up to today",
        "Xero's lock date is 2026-09-22, and today is 2026-09-22",
        xero=organisation(PeriodLockDate=ms_date(day("2026-09-22"))),
    ),
    SetUp(
        "locked for good, moved to the next open day",
        "or all records of today are dated in the future",
        (("locked_period: block", "locked_period: next_open_day"),),
        xero=organisation(PeriodLockDate=ms_date(day("2026-12-31"))),
        warned=True,
    ),
    SetUp(
        "locked over the days that are synced",
        "but Xero's lock date is 2026-09-21",
        xero=organisation(EndOfYearLockDate=ms_date(day("2026-09-21"))),
        blocks=True,
    ),
    SetUp(
        "another time zone",
        "time_zone is Europe/Berlin, but the shop's is Pacific/Auckland",
        (("Pacific/Auckland", "Europe/Berlin"),),
    ),
    SetUp("no time zone", "'Pacific/Oakland' is not a time zone", (("Pacific/Auckland", "Pacific/Oakland"),)),
    SetUp("a start date in the future", "start_date 2027-01-01 is in the future", (("2026-09-21 ", "2027-01-01 "),)),
    SetUp("a start date that is none", "start_date must be a day such as 2026-09-21", (("2026-09-21 ", "21.9.2026 "),)),
    SetUp(
        "a prefix that other invoices have",
        "start with prefix 'SH-', such as SH-7",
        xero=somebody_elses_invoice,
        warned=True,
    ),
]

BOOKS_FILE = [
    SetUp("a prefix that cannot be", "cannot start a document number", (("prefix: SH-", 'prefix: "SH/"'),)),
    SetUp("a key given twice", "prefix appears twice; keep one", (("prefix: SH-", "prefix: SH-\nprefix: SH-"),)),
    SetUp("an unknown key", "prefxi is not a setting; did you mean prefix?", (("prefix: SH-", "prefxi: SH-"),)),
    SetUp(
        "an unknown account", "accounts.shiping is not a setting; did you mean shipping?", (("shipping:", "shiping:"),)
    ),
    SetUp(
        "a list for a group",
        "payments must be a group of settings",
        (
            (
                GATEWAYS,
                "payments: [601]",
            ),
        ),
    ),
    SetUp(
        "a group for a list",
        "tax.rates must be a list",
        (
            (TAX_RULES, ""),
            ("  rates:  ", "  rates: {GST: OUTPUT2} #"),
        ),
    ),
    SetUp("per cent for a fraction", "(15 % is written 0.15)", (("rate: 0.15", "rate: 15"),)),
    SetUp(
        "a word that is none of those",
        "post_when cannot be 'shipped'; write one of",
        (("post_when: paid", "post_when: shipped"),),
    ),
    SetUp(
        "a combination of one",
        "or a combination of two or more taxes",
        (("{title: GST, rate: 0.15,", "{combination: [{title: GST}],"),),
    ),
    SetUp(
        "gift cards paid from another account",
        "payments.gift_card is 835, but gift cards are sold on",
        (('paypal: "602"', 'paypal: "602"\n  gift_card: "835"'),),
    ),
    SetUp("no YAML", "this is not YAML", (("accounts:", "accounts: ["),)),
    SetUp("no books.yaml", "books.yaml does not exist", None),
    SetUp("books.yaml in Latin-1", "it must be a text in UTF-8", None, "prefix: Ü-".encode("latin-1")),
    SetUp("an empty gateway", "an entry has no name", (('paypal: "602"', '"": "602"'),)),
]

GOODS = {"SHOPIFY_SHOP": "goods.myshopify.com"}
SURROUNDINGS = [
    SetUp(
        "a shop that is no domain",
        "SHOPIFY_SHOP is not the permanent domain of a shop",
        environ={"SHOPIFY_SHOP": "https://goods.example/admin"},
    ),
    SetUp(
        "a state store of another shop",
        "belongs to shop sandbox.myshopify.com, not to goods.myshopify.com",
        environ=GOODS,
        before={},
    ),
    SetUp(
        "a wrong token of Shopify",
        "Shopify does not accept the access token",
        environ={"SHOPIFY_ACCESS_TOKEN": "wrong"},
    ),
    SetUp(
        "a wrong secret of Shopify",
        "SHOPIFY_CLIENT_ID or SHOPIFY_CLIENT_SECRET is wrong",
        environ={"SHOPIFY_CLIENT_SECRET": "wrong"},
    ),
    SetUp(
        "the app is not installed",
        "the app is not installed on sandbox.myshopify.com",
        shopify_options={"installed": False},
    ),
    SetUp(
        "an app of another organisation", "belong to different organizations", shopify_options={"shop_permitted": False}
    ),
    SetUp(
        "no credentials of Shopify",
        "Shopify credentials are not set",
        environ={"SHOPIFY_BASE_URL": "", "SHOPIFY_SHOP": "goods.myshopify.com"},
    ),
    SetUp("no shop", "SHOPIFY_SHOP is not set", environ={"SHOPIFY_BASE_URL": "", "SHOPIFY_ACCESS_TOKEN": "token"}),
    SetUp("no credentials of Xero", "Xero credentials are not set", environ={"XERO_BASE_URL": ""}),
    SetUp(
        "a wrong secret of Xero",
        "Xero does not accept the credentials (invalid_client)",
        environ={"XERO_CLIENT_SECRET": "wrong"},
    ),
    SetUp(
        "a wrong organisation",
        "Check XERO_TENANT_ID",
        environ={"XERO_TENANT_ID": "11111111-2222-3333-4444-555555555555"},
    ),
    SetUp("a key that is none", "TOKEN_KEY", environ={"TOKEN_KEY": "swordfish"}),
    SetUp("a key and no sign-in", "run `shopify-xero login`", environ={"TOKEN_KEY": "A" * 43 + "="}),
    SetUp(
        "a store of another kind",
        "The state store must be an SQLite file or a Postgres database",
        environ={"STATE_URL": "mysql://me:secret@db/state"},
    ),
    SetUp(
        "a store that is nonsense",
        "The state store must be an SQLite file or a Postgres database",
        environ={"STATE_URL": "state.db"},
    ),
    SetUp(
        "a store that cannot be made",
        "cannot be used as a state store",
        environ={"STATE_URL": "sqlite:////proc/nowhere/state.db"},
    ),
    SetUp(
        "a .env in Latin-1",
        ".env is not UTF-8 text",
        dotenv="OWNERS_PAGE=https://b\xfccher.example\n".encode("latin-1"),
    ),
    SetUp("a .env in UTF-16", ".env is not UTF-8 text", dotenv="SHOPIFY_SHOP=goods.myshopify.com\n".encode("utf-16")),
    SetUp("a .env with a quote that does not end", ".env line 2 cannot be read", dotenv=b'A=1\nXERO_TENANT_ID="x\n'),
    SetUp(
        "assets where nothing can be written",
        "ASSET_STORAGE names /proc/nowhere, which cannot be used",
        environ={"ASSET_STORAGE": "/proc/nowhere"},
    ),
    SetUp(
        "a witness where nothing can be written",
        "/proc/nowhere",
        environ={"STATE_WITNESS": "/proc/nowhere"},
    ),
    SetUp("automation that is neither", "AUTOMATION must be on or off", dotenv=b"AUTOMATION=maybe\n"),
    SetUp(
        "days that are no number",
        "KEEP_PAYLOADS_DAYS must be a whole number",
        environ={"KEEP_PAYLOADS_DAYS": "a month"},
    ),
    SetUp(
        "an address that is not this machine's",
        "XERO_BASE_URL is for a sandbox on this machine",
        environ={"XERO_BASE_URL": "https://api.example.com"},
    ),
    SetUp("mail without an addressee", "Alerts by e-mail need both", environ={"ALERT_SMTP_URL": "smtp://mail.example"}),
    SetUp(
        "no scope for orders", "the access scope read_orders", shopify_options={"scopes": ALL_SCOPES - {"read_orders"}}
    ),
    SetUp(
        "no scope for products",
        "the access scope read_products",
        shopify_options={"scopes": ALL_SCOPES - {"read_products"}},
    ),
    SetUp(
        "no scope for customers",
        "the access scope read_customers",
        shopify_options={"scopes": ALL_SCOPES - {"read_customers"}},
    ),
    SetUp(
        "no scope for payment terms",
        "the access scope read_payment_terms",
        shopify_options={"scopes": ALL_SCOPES - {"read_payment_terms"}},
    ),
    SetUp("no scope for contacts", "(invalid_scope)", xero_options={"scopes": SCOPES - {"accounting.contacts"}}),
    SetUp("no scope for settings", "(invalid_scope)", xero_options={"scopes": SCOPES - {"accounting.settings.read"}}),
]

GROUPS = {
    "accounts that are missing or archived": MISSING_ACCOUNTS,
    "accounts of another class, or of another use": WRONG_CLASSES,
    "tax types, rates and titles": TAXES,
    "gateways, currencies, locked periods, days, numbers": MONEY_AND_DAYS,
    "`books.yaml` itself": BOOKS_FILE,
    "credentials, scopes, `.env`, state store": SURROUNDINGS,
}
CASES = [case for group in GROUPS.values() for case in group]
