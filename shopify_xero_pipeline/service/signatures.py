"""Who sent a body: HMAC-SHA256 over its bytes as they came, compared in constant time.

Shopify signs with the app's client secret, Xero with a webhook key; both write the signature in base64
(docs/contracts/shopify.md §7, docs/contracts/xero.md §8). Nothing is parsed before this has been asked.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Sequence

from starlette.datastructures import Headers

from shopify_xero_pipeline.service.body_reader import RefusedRequestError

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")


def parse_keys(setting: str) -> tuple[bytes, ...]:
    """Return the keys of a setting, which may be several, divided by commas, while one takes another's place."""
    return tuple(key.strip().encode() for key in setting.split(",") if key.strip())


def signature(key: bytes, body: bytes) -> bytes:
    """Return a body's signature under a key, in base64."""
    return b64encode(hmac.digest(key, body, "sha256"))


def claimed_signature(headers: Headers, name: str) -> bytes:
    """Return the signature a request bears, before its body is read.

    Raises:
        Refusal: it bears none, more than one, or something that cannot be one.
    """
    found = headers.getlist(name)
    if len(found) != 1 or not _SIGNATURE.fullmatch(found[0]):
        raise RefusedRequestError(401, f"the header {name} bears no signature")
    return found[0].encode()


def verify_signature(keys: Sequence[bytes], body: bytes, claimed: bytes) -> None:
    """Refuse a body that nobody signed who has a key; all keys are tried, so that the time says nothing.

    Raises:
        Refusal: the signature is not that of any key.
    """
    if not any([hmac.compare_digest(signature(key, body), claimed) for key in keys]):
        raise RefusedRequestError(401, "the signature is not right")
