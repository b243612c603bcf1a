"""Webhook signatures: HMAC-SHA256 over the raw body, compared in constant time.

Shopify signs with the app's client secret, Xero with a webhook key; both send the signature in base64
(docs/contracts/shopify.md §7, docs/contracts/xero.md §8). No body is parsed before its signature is verified.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Sequence

from starlette.datastructures import Headers

from shopify_xero_pipeline.service.body_reader import RefusedRequestError

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=")


def parse_keys(setting: str) -> tuple[bytes, ...]:
    """Return the keys of a setting; it may have several, separated by commas, while a key is rotated."""
    return tuple(key.strip().encode() for key in setting.split(",") if key.strip())


def signature(key: bytes, body: bytes) -> bytes:
    """Return the signature of a body under a key, in base64."""
    return b64encode(hmac.digest(key, body, "sha256"))


def claimed_signature(headers: Headers, name: str) -> bytes:
    """Return the signature header of a request, before the body is read.

    Args:
        headers: the headers of the request.
        name: the name of the signature header.

    Raises:
        RefusedRequestError: the header is absent, repeated, or not a signature in base64.
    """
    values = headers.getlist(name)
    if len(values) != 1 or not _SIGNATURE.fullmatch(values[0]):
        raise RefusedRequestError(401, f"the header {name} has no signature")
    return values[0].encode()


def verify_signature(keys: Sequence[bytes], body: bytes, claimed: bytes) -> None:
    """Refuse a body that no key signed. All keys are tried, so that the duration reveals nothing.

    Args:
        keys: the accepted keys.
        body: the raw body.
        claimed: the signature in the request, in base64.

    Raises:
        RefusedRequestError: the signature matches no key.
    """
    if not any([hmac.compare_digest(signature(key, body), claimed) for key in keys]):
        raise RefusedRequestError(401, "the signature does not match")
