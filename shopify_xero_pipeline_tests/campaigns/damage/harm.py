"""Kinds of damage to the files of a state store."""

import random
from collections.abc import Callable, Mapping

from shopify_xero_pipeline_tests.campaigns.damage.life import JOURNAL, STORE, WITNESS, Files, Life

PAGE = 4096  # bytes, SQLite's page size
Harm = Callable[[Life, random.Random], Files]


def _flipped(life: Life, rng: random.Random) -> Files:
    store = bytearray(life.files[STORE])
    store[rng.randrange(len(store))] ^= 1 << rng.randrange(8)
    return {**life.files, STORE: bytes(store)}


def _page(life: Life, rng: random.Random, content: bytes) -> Files:
    store, page = life.files[STORE], rng.randrange(len(life.files[STORE]) // PAGE)
    return {**life.files, STORE: store[: page * PAGE] + content + store[(page + 1) * PAGE :]}


def _overwritten(life: Life, rng: random.Random) -> Files:
    return _page(life, rng, rng.randbytes(PAGE))


def _zeroed(life: Life, rng: random.Random) -> Files:
    return _page(life, rng, bytes(PAGE))


def _exchanged(life: Life, rng: random.Random) -> Files:
    """Return the files with a page of an earlier copy, as after a write that the disk lost."""
    copy = rng.choice([files[STORE] for files in life.copies.values()])
    page = rng.randrange(len(copy) // PAGE)
    store = life.files[STORE]
    old = copy[page * PAGE : (page + 1) * PAGE]
    return {**life.files, STORE: store[: page * PAGE] + old + store[(page + 1) * PAGE :]}


def _truncated(life: Life, rng: random.Random) -> Files:
    store = life.files[STORE]
    return {**life.files, STORE: store[: rng.randrange(len(store))]}


def _deleted(life: Life, _: random.Random) -> Files:
    return {WITNESS: life.files[WITNESS]}


def _all_deleted(_: Life, __: random.Random) -> Files:
    return {}


def _restored(life: Life, rng: random.Random) -> Files:
    return {**life.files, STORE: rng.choice(list(life.copies.values()))[STORE]}


def _restored_elsewhere(life: Life, rng: random.Random) -> Files:
    """Return an earlier copy alone, as on a new machine without the witness."""
    return {STORE: rng.choice(list(life.copies.values()))[STORE]}


def _torn(life: Life, _: random.Random) -> Files:
    return {name: content for name, content in life.torn.items() if name != JOURNAL}


def _witness_flipped(life: Life, rng: random.Random) -> Files:
    witness = bytearray(life.files[WITNESS])
    witness[rng.randrange(len(witness))] ^= 1 << rng.randrange(7)
    return {**life.files, WITNESS: bytes(witness)}


HARMS: Mapping[str, Harm] = {
    "one bit flipped": _flipped,
    "page overwritten": _overwritten,
    "page zeroed": _zeroed,
    "page as it was before": _exchanged,
    "truncated": _truncated,
    "store deleted": _deleted,
    "store and witness deleted": _all_deleted,
    "old copy restored": _restored,
    "old copy restored, no witness": _restored_elsewhere,
    "rollback journal deleted": _torn,
    "one bit of the witness flipped": _witness_flipped,
}
SHARES = {"one bit flipped": 8, "truncated": 2, "old copy restored": 2, "page as it was before": 2}
"""The number of cases of a kind for one case of each other kind."""
