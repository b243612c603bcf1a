"""A body unpacks to what was packed, never to more than is allowed, and to nothing where it is not whole."""

import tracemalloc
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_xero_pipeline.http.exchange import AnswerTooLargeError
from shopify_xero_pipeline.http.unpacking import decompress

MEGABYTE = 1_000_000


def packed(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def pieces(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


@given(body=st.binary(max_size=2_000), size=st.integers(1, 700), encoding=st.sampled_from(["gzip", " X-Gzip "]))
def test_a_packed_body_arrives_as_it_was_however_it_was_cut(body: bytes, size: int, encoding: str) -> None:
    assert decompress(pieces(packed(body), size), encoding, 2_000) == body


@given(body=st.binary(max_size=2_000), size=st.integers(1, 700), encoding=st.sampled_from(["", "identity"]))
def test_a_body_that_is_not_packed_arrives_as_it_is(body: bytes, size: int, encoding: str) -> None:
    assert decompress(pieces(body, size), encoding, 2_000) == body


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_may_unpack_to_as_much_as_is_allowed_and_not_to_a_byte_more(encoding: str) -> None:
    pack = packed if encoding else bytes
    assert decompress([pack(b"x" * 1_000)], encoding, 1_000) == b"x" * 1_000
    with pytest.raises(AnswerTooLargeError):
        decompress([pack(b"x" * 1_001)], encoding, 1_000)


def test_a_few_bytes_that_unpack_to_gigabytes_take_no_more_memory_than_is_allowed() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"0" * MEGABYTE) for _ in range(300)) + packer.flush()
    assert len(bomb) < MEGABYTE
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLargeError):
            decompress([bomb], "gzip", MEGABYTE)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 5 * MEGABYTE


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "gzip,identity", "unheard-of"])
def test_an_encoding_that_was_not_asked_for_is_no_answer(encoding: str) -> None:
    with pytest.raises(httpx.DecodingError):
        decompress([packed(packed(b"{}"))], encoding, MEGABYTE)


@pytest.mark.parametrize("whole", [b"not gzip", packed(b'{"Payments": []}')[:-9], packed(b"{}")[:5]])
def test_a_packed_body_that_is_broken_or_ends_early_is_no_answer(whole: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        decompress([whole], "gzip", MEGABYTE)


@pytest.mark.parametrize("parts", [[], [b""], [b"", b""]])
def test_an_answer_without_a_body_is_empty_whatever_its_headers_say(parts: list[bytes]) -> None:
    assert decompress(parts, "gzip", MEGABYTE) == b""
