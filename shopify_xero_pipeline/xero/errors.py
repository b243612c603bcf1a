"""The exceptions of calls to Xero, with messages for people on the event, the call and the remedy.

This module only has exceptions of whole calls. The refusal of a single record is a row, not an exception
(`loading/refusals.py`). No message contains a secret, a name or an address.
"""


class XeroError(Exception):
    """Base of all; `correlation_id` is Xero's id of the call, to quote to Xero's support."""

    def __init__(self, message: str, *, correlation_id: str | None = None) -> None:
        super().__init__(f"{message} (Xero's correlation id: {correlation_id})" if correlation_id else message)
        self.correlation_id = correlation_id


class XeroSettingsError(XeroError):
    """A setting cannot be used, such as a base URL that is not on this machine."""


class XeroSignInError(XeroError):
    """Xero issued no access token for the credentials."""


class XeroConsentError(XeroSignInError):
    """A person must give consent in Xero, for the first time or again."""


class XeroDeniedError(XeroError):
    """A 401 with a fresh token, or a 403. The connection may not make the call."""


class XeroRefusedError(XeroError):
    """A 400 or 404. The request itself is not acceptable."""


class XeroUnavailableError(XeroError):
    """No usable response arrived in any attempt."""


class DailyQuotaExceededError(XeroError):
    """The daily quota is used up, except for the reserve for read-backs. Unsent records stay planned."""


class ReplayWindowExpiredError(XeroError):
    """The request may not be sent, because Xero may forget its idempotency key before it arrives."""
