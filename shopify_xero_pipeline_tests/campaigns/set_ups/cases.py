"""Hand-written broken set-ups, each with one typical mistake and the message that must name it."""

from shopify_xero_pipeline_tests.campaigns.set_ups.account_cases import MISSING_ACCOUNTS, WRONG_CLASSES
from shopify_xero_pipeline_tests.campaigns.set_ups.money_cases import MONEY_AND_DAYS, TAXES
from shopify_xero_pipeline_tests.campaigns.set_ups.surroundings_cases import BOOKS_FILE, SURROUNDINGS

GROUPS = {
    "accounts that are missing or archived": MISSING_ACCOUNTS,
    "accounts of another class, or of another use": WRONG_CLASSES,
    "tax types, rates and titles": TAXES,
    "gateways, currencies, locked periods, days, numbers": MONEY_AND_DAYS,
    "`books.yaml` itself": BOOKS_FILE,
    "credentials, scopes, `.env`, state store": SURROUNDINGS,
}
CASES = [case for group in GROUPS.values() for case in group]
