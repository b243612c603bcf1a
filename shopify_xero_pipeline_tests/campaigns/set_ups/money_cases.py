"""Broken set-ups whose mistake is a tax, a gateway, a currency, a day or a number."""

from shopify_xero_pipeline.sandbox.xero.wire import ms_date
from shopify_xero_pipeline_tests.campaigns.set_ups.mistakes import (
    GATEWAYS,
    TAX_RULES,
    account,
    base_currency,
    organisation,
    somebody_elses_invoice,
    tax_rate,
)
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp, day

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
