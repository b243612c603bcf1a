"""Exact amounts, their decimals by currency, and checks of currencies and accounts in Xero (docs/books.md §8).

Amounts that Xero cannot store exactly block the order. No amount is rounded silently.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cache

from shopify_xero_pipeline.books.order_context import OrderBlockedError
from shopify_xero_pipeline.shopify.models import MoneyBag
from shopify_xero_pipeline.xero.models import Organisation

ZERO = Decimal(0)
CENT = Decimal("0.01")
BOUNDED = Context(prec=18)  # products and sums of 18-digit amounts stay exact in Decimal's 28 digits
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
    """Return the number of decimals of a currency: the exponent of ISO 4217, but at most Xero's two."""
    return min(EXPONENTS.get(currency, DEFAULT_EXPONENT), XERO_DECIMALS)


@cache
def smallest_unit(currency: str) -> Decimal:
    """Return the smallest unit of a currency: 0.01 for NZD, 1 for JPY."""
    return Decimal(1).scaleb(-decimals(currency))


def require_representable(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with the currency's decimals, unchanged in value.

    Raises:
        OrderBlockedError: the amount has a non-zero third decimal or more than 18 digits (`currency_precision`).
    """
    for unit in (smallest_unit(currency), CENT):
        try:
            quantized = amount.quantize(unit, context=BOUNDED)
        except InvalidOperation:
            break
        if quantized == amount:
            return quantized + ZERO  # a negative zero becomes zero
    raise _too_many_digits(amount, currency)


def round_half_up(amount: Decimal, currency: str) -> Decimal:
    """Return an amount rounded half up to the currency's decimals.

    Raises:
        OrderBlockedError: the amount has more than 18 digits (`currency_precision`).
    """
    try:
        return amount.quantize(smallest_unit(currency), ROUND_HALF_UP, context=BOUNDED)
    except InvalidOperation:
        raise _too_many_digits(amount, currency) from None


def shop_amount(bag: MoneyBag, currency: str) -> Decimal:
    """Return the exact amount of a money bag in the shop's currency.

    Raises:
        OrderBlockedError: the amount is not in the order's currency, or Xero cannot store it exactly.
    """
    money = bag.shop_money
    if money.currency_code != currency:
        raise OrderBlockedError(
            f"an amount of {money.amount} is in {money.currency_code}, but the order is in {currency};"
            " the shop's currency was changed: enter this order in Xero by hand"
        )
    return require_representable(money.amount, currency)


def _too_many_digits(amount: Decimal, currency: str) -> OrderBlockedError:
    return OrderBlockedError(
        f"currency_precision: {currency} {amount} has more digits than Xero stores; enter this order in Xero by hand"
    )


def require_enabled(currency: str, organisation: Organisation) -> None:
    """Check that a currency is enabled in Xero (docs/books.md §8).

    Raises:
        OrderBlockedError: the currency is neither the organisation's base nor enabled.
    """
    if currency != organisation.base_currency and currency not in organisation.currencies:
        raise OrderBlockedError(
            f"the order is in {currency}, which is not enabled in Xero (base currency {organisation.base_currency});"
            f" add {currency} in Xero under Settings, Currencies"
        )


def require_account(setting: str, code: str, organisation: Organisation) -> None:
    """Check that Xero has an account that few orders need; the preflight check does not require it.

    Args:
        setting: the dotted setting that names the account.
        code: the account code.
        organisation: Xero's settings.

    Raises:
        OrderBlockedError: Xero has no such account, or it is not active.
    """
    if not any(account.code == code and account.status == "ACTIVE" for account in organisation.accounts):
        raise OrderBlockedError(
            f"this order needs {setting}, account {code}, which does not exist or is not active in Xero;"
            f" create it in Xero, or name another account in books.yaml as {setting}"
        )


def require_account_fits(code: str, currency: str, setting: str, organisation: Organisation) -> None:
    """Check that a payment account has the order's currency.

    Args:
        code: the account code.
        currency: the order's currency.
        setting: the dotted setting that names the account.
        organisation: Xero's settings.

    Raises:
        OrderBlockedError: the account has another currency.
    """
    for account in organisation.accounts:
        if account.code == code and account.currency not in (None, "", currency):
            raise OrderBlockedError(
                f"{setting} names account {code}, whose currency in Xero is {account.currency}, but the order is in"
                f" {currency}; name an account in {currency} there"
            )
