"""Canonical JSON and its SHA-256: the same content always gives the same bytes.

Only the encoding belongs here. Keys are sorted, decimals are written as exact numbers, and nothing passes through a
float.
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")


def canonical_json(content: object) -> str:
    """Return content as JSON text with sorted keys, no spaces and exact decimals."""
    return _ENCODER.encode(content).decode()


def checksum(content: Mapping[str, object]) -> str:
    """Return the SHA-256, in hexadecimal, of content's canonical JSON."""
    return digest(canonical_json(content))


def digest(text: str | bytes) -> str:
    """Return the SHA-256 of text (UTF-8) or bytes, in hexadecimal."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def parse_exact_json(text: str | bytes) -> Any:
    """Read JSON with every number that has a fraction as `Decimal`.

    Raises:
        ValueError: the text is not JSON.
    """
    return json.loads(text, parse_float=Decimal)
