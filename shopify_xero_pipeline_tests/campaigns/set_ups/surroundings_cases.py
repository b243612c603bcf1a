"""Broken set-ups whose mistake is in the form of `books.yaml`, a credential, a scope, `.env` or the state store."""

from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES
from shopify_xero_pipeline.sandbox.xero.options import SCOPES
from shopify_xero_pipeline_tests.campaigns.set_ups.mistakes import GATEWAYS, TAX_RULES
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp

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
    SetUp("books.yaml in Latin-1", "it must be a text file in UTF-8", None, "prefix: Ü-".encode("latin-1")),
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
