"""What can go wrong with Xero, in words for people: what happened, with which call, what to do.

Only exceptions of whole calls belong here; why Xero refused a single record is a row, not an exception
(`loading/refusals.py`). No secret, name or address is ever part of a message.
"""


class XeroError(Exception):
    """Base of all: `correlation_id` is Xero's own name for the call, to quote to its support."""

    def __init__(self, message: str, *, correlation_id: str | None = None) -> None:
        super().__init__(f"{message} (Xero's correlation id: {correlation_id})" if correlation_id else message)
        self.correlation_id = correlation_id


class XeroSettingsError(XeroError):
    """A setting cannot be used, such as a base URL that is not on this machine."""


class XeroSignInError(XeroError):
    """Xero gave no access token for these credentials."""


class XeroConsentError(XeroSignInError):
    """Only a person can go on from here: nobody has given consent in Xero yet, or it must be given again."""


class XeroDeniedError(XeroError):
    """401 with a fresh token, or 403: the connection may not do this."""


class XeroRefusedError(XeroError):
    """400 or 404: the request itself is not acceptable."""


class XeroUnavailableError(XeroError):
    """No usable answer came, however often it was asked."""


class DailyQuotaExceededError(XeroError):
    """The day's calls are used up, but for the reserve kept for reading back. What is left stays planned."""


class ReplayWindowExpiredError(XeroError):
    """The request may not leave any more: its Idempotency-Key may lapse while it travels."""
