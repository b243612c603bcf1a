"""Canonical JSON and its SHA-256: equal content gives equal bytes.

This module only encodes and decodes. Keys are sorted, decimals are exact numbers, and no value passes through a float.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")
_DECODER = json.JSONDecoder(parse_float=Decimal)  # json.loads would build one for each call


def canonical_json(content: object) -> str:
    """Return content as JSON text with sorted keys, no spaces and exact decimals."""
    return _ENCODER.encode(content).decode()


def checksum(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of the canonical JSON of an object, in hexadecimal.

    Args:
        content: values of JSON types and `Decimal`, by name.
    """
    return digest(canonical_json(content))


def digest(text: str | bytes) -> str:
    """Return the SHA-256 of text (UTF-8) or bytes, in hexadecimal."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def parse_exact_json(text: str | bytes) -> Any:
    """Return the content of JSON, with each fractional number as a `Decimal`.

    Raises:
        ValueError: the text is not JSON.
    """
    return _DECODER.decode(text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass"))
