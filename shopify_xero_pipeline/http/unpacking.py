"""Decompression of a response body within a size limit.

httpx decompresses each received part whole, whatever its decompressed size, and yields nothing while parts decompress
to nothing. Requests accept only gzip; a response in another encoding is an error.
"""

import zlib
from collections.abc import Iterable, Iterator

import httpx

from shopify_xero_pipeline.http.exchange import AnswerTooLargeError

ACCEPTED = "gzip"
_GZIP = zlib.MAX_WBITS | 16
_MAX_PART_BYTES = 1_000_000  # of a decompressed part, whatever the size of the compressed one


def decompress_parts(parts: Iterable[bytes], encoding: str, *, may_be_empty: bool = False) -> Iterator[bytes]:
    """Yield the parts of a body, decompressed, each of a limited size.

    Args:
        parts: the body as received.
        encoding: the header Content-Encoding; may be empty.
        may_be_empty: whether a body without a byte is complete, although gzip has a header.

    Raises:
        httpx.DecodingError: the body is not gzip, is truncated, or is encoded otherwise or twice.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from parts
        return
    inflater, is_empty = _create_inflater(encoding), True
    try:
        for part in parts:
            is_empty = is_empty and not part
            while part:
                yield inflater.decompress(part, _MAX_PART_BYTES)
                part = inflater.unconsumed_tail
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from None
    if not (inflater.eof or (is_empty and may_be_empty)):
        raise httpx.DecodingError("the response body is truncated")


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
    body = bytearray()
    for part in decompress_parts(parts, encoding, may_be_empty=True):
        body += part
        if len(body) > max_bytes:
            raise AnswerTooLargeError("the response is too large")
    return bytes(body)


def _create_inflater(encoding: str) -> "zlib._Decompress":
    if encoding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("the response has a Content-Encoding that the request did not accept")
    return zlib.decompressobj(_GZIP)
