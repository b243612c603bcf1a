"""Unpacking the body of an answer, never into more bytes than are allowed.

httpx unpacks each part it received as a whole, whatever it unpacks to, and gives nothing to look at while parts unpack
to nothing. Only gzip is asked for; an answer in another encoding is none.
"""

import zlib
from collections.abc import Iterable

import httpx

from shopify_xero_pipeline.http.exchange import AnswerTooLargeError

ACCEPTED = "gzip"
_GZIP = zlib.MAX_WBITS | 16


def decompress(parts: Iterable[bytes], encoding: str, most_bytes: int) -> bytes:
    """Return a whole body.

    Args:
        parts: as they are received.
        encoding: the header Content-Encoding.
        most_bytes: the longest body there may be once it is unpacked.

    Raises:
        AnswerTooLargeError: it is longer.
        httpx.DecodingError: it is no gzip, ends before its end, or is encoded in another way or twice.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _joined(parts, most_bytes)
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("the answer is encoded in a way that was not asked for")
    return _inflated(parts, most_bytes)


def _joined(parts: Iterable[bytes], most_bytes: int) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        _refuse_longer(body, most_bytes)
    return bytes(body)


def _inflated(parts: Iterable[bytes], most_bytes: int) -> bytes:
    inflating, body, empty = zlib.decompressobj(_GZIP), bytearray(), True
    try:
        for part in parts:
            empty = empty and not part
            body += inflating.decompress(part, most_bytes - len(body) + 1)
            _refuse_longer(body, most_bytes)
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from None
    if not (inflating.eof or empty):
        raise httpx.DecodingError("the answer ends before its end")
    return bytes(body)


def _refuse_longer(body: bytearray, most_bytes: int) -> None:
    if len(body) > most_bytes:
        raise AnswerTooLargeError("the answer is too large")
