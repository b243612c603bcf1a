"""Exact money: how many decimals a currency has, and the refusal of amounts that Xero could not keep.

Only amounts and their decimals belong here; which currency a document is in and whether Xero has it enabled is
checked at the end of the module for an order as a whole (docs/books.md §8).
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cache

from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.shopify.models import MoneyBag
from shopify_xero_pipeline.xero.models import Organisation

ZERO = Decimal(0)
CENT = Decimal("0.01")
BOUNDED = Context(prec=18)  # products and sums of such amounts stay exact in Decimal's 28 digits
DEFAULT_EXPONENT = 2
XERO_DECIMALS = 2

ZERO_DECIMALS = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
EXPONENTS = {
    **dict.fromkeys(ZERO_DECIMALS, 0),
    **dict.fromkeys(THREE_DECIMALS, 3),
}


def decimals(currency: str) -> int:
    """Return how many decimals amounts of a currency have here: ISO 4217's exponent, at most Xero's two."""
    return min(EXPONENTS.get(currency, DEFAULT_EXPONENT), XERO_DECIMALS)


@cache
def smallest_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency in the books: 0.01 for NZD, 1 for JPY."""
    return Decimal(1).scaleb(-decimals(currency))


def require_representable(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with the currency's decimals.

    Raises:
        Blocked: the amount has a non-zero third decimal or is absurdly large (`currency_precision`).
    """
    for unit in (smallest_unit(currency), CENT):
        try:
            kept = amount.quantize(unit, context=BOUNDED)
        except InvalidOperation:
            break
        if kept == amount:
            return kept + ZERO  # a negative zero becomes zero
    raise _too_many_digits(amount, currency)


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """Return an amount rounded half up to the currency's decimals.

    Raises:
        Blocked: the amount is absurdly large (`currency_precision`).
    """
    try:
        return amount.quantize(smallest_unit(currency), ROUND_HALF_UP, context=BOUNDED)
    except InvalidOperation:
        raise _too_many_digits(amount, currency) from None


def shop_amount(bag: MoneyBag, currency: str) -> Decimal:
    """Return the exact shop-money side of a bag.

    Raises:
        Blocked: it is in another currency than the order, or cannot be kept exactly.
    """
    money = bag.shop_money
    if money.currency_code != currency:
        raise OrderBlockedError(
            f"an amount of {money.amount} is in {money.currency_code} while the order is in {currency};"
            " the shop's currency was changed: enter this order in Xero by hand"
        )
    return require_representable(money.amount, currency)


def _too_many_digits(amount: Decimal, currency: str) -> OrderBlockedError:
    return OrderBlockedError(
        f"currency_precision: {currency} {amount} has more digits than Xero keeps; enter this order in Xero by hand"
    )


def require_enabled(currency: str, organisation: Organisation) -> None:
    """Check that Xero can hold documents in a currency (docs/books.md §8).

    Raises:
        Blocked: the currency is neither the organisation's base nor enabled.
    """
    if currency != organisation.base_currency and currency not in organisation.currencies:
        raise OrderBlockedError(
            f"the order is in {currency}, which Xero has not enabled (base currency {organisation.base_currency});"
            f" add {currency} in Xero under Settings, Currencies"
        )


def require_account(setting: str, code: str, organisation: Organisation) -> None:
    """Check that Xero has an account that few orders need, so that it is not asked for before one does.

    Raises:
        Blocked: it does not, or no longer uses it.
    """
    if not any(account.code == code and account.status == "ACTIVE" for account in organisation.accounts):
        raise OrderBlockedError(
            f"this order needs {setting}, account {code}, which Xero does not have or no longer uses;"
            f" create it in Xero, or name another in books.yaml as {setting}"
        )


def require_account_fits(code: str, currency: str, setting: str, organisation: Organisation) -> None:
    """Check that a payment account holds the order's currency.

    Raises:
        Blocked: the account is kept in another currency.
    """
    for account in organisation.accounts:
        if account.code == code and account.currency not in (None, "", currency):
            raise OrderBlockedError(
                f"{setting} names account {code}, which is kept in {account.currency}, but the order is in {currency};"
                f" name an account in {currency} there"
            )
