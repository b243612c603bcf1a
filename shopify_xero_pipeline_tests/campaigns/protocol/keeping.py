"""A campaign kept in a file as it goes on, so that one of hours can be stopped and taken up again.

What was measured of one protocol says nothing of another: a file bears the digest of the code it was measured with, and
is not gone on with when that has changed.
"""

import json
from hashlib import sha256
from pathlib import Path

import shopify_xero_pipeline
from shopify_xero_pipeline_tests.campaigns.protocol.campaign import Tally

ROOMS = ("changes", "state", "xero")


class OtherCodeError(Exception):
    """A campaign was measured with another code than the present one."""


def code() -> str:
    """Return the digest of the code that a campaign tries."""
    home = Path(shopify_xero_pipeline.__file__).parent
    found = sorted(path for room in ROOMS for path in (home / room).rglob("*.py"))
    return sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:16]


def kept(file: Path, stride: int) -> tuple[Tally, float]:
    """Return what a file holds of a campaign, and how many seconds it took; nothing if there is none.

    Raises:
        OtherCodeError: it is of another code, or of another stride.
    """
    if not file.exists():
        return Tally(), 0.0
    found = json.loads(file.read_text(encoding="utf-8"))
    if (found["code"], found["stride"]) != (code(), stride):
        raise OtherCodeError(f"{file} was measured with another code or another stride: keep this campaign elsewhere.")
    return Tally.from_json(found), found["seconds"]


def keep(file: Path, tally: Tally, stride: int, seconds: float) -> None:
    """Write a campaign to a file, in place of what it held before."""
    told = {"code": code(), "stride": stride, "seconds": round(seconds, 1), **tally.as_json()}
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(file)
