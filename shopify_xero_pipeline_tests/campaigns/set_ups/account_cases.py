"""Broken set-ups whose mistake is an account."""

from shopify_xero_pipeline_tests.campaigns.set_ups.mistakes import account, named
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp

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
