"""Decompression of a response body within a size limit.

httpx decompresses each received part whole, whatever its decompressed size, and yields nothing while parts decompress
to nothing. Requests accept only gzip; a response in another encoding is an error.
"""

import zlib
from collections.abc import Iterable

import httpx

from shopify_xero_pipeline.http.exchange import AnswerTooLargeError

ACCEPTED = "gzip"
_GZIP = zlib.MAX_WBITS | 16


def decompress(parts: Iterable[bytes], encoding: str, max_bytes: int) -> bytes:
    """Return the whole body of a response, decompressed.

    Args:
        parts: the body as received.
        encoding: the header Content-Encoding; may be empty.
        max_bytes: limit of the decompressed size.

    Raises:
        AnswerTooLargeError: the body is larger.
        httpx.DecodingError: the body is not gzip, is truncated, or is encoded otherwise or twice.
    """
    encoding, body = encoding.strip().lower(), bytearray()
    if encoding in ("", "identity"):
        for part in parts:
            body += part
            _check_size(body, max_bytes)
        return bytes(body)
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("the response has a Content-Encoding that the request did not accept")
    inflater, is_empty = zlib.decompressobj(_GZIP), True
    try:
        for part in parts:
            is_empty = is_empty and not part
            body += inflater.decompress(part, max_bytes - len(body) + 1)
            _check_size(body, max_bytes)
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from None
    if not (inflater.eof or is_empty):
        raise httpx.DecodingError("the response body is truncated")
    return bytes(body)


def _check_size(body: bytearray, max_bytes: int) -> None:
    if len(body) > max_bytes:
        raise AnswerTooLargeError("the response is too large")
