"""The doctor: what must be true of a live store, its books in Xero and its surroundings, asked and told.

It reads Xero, unless told not to, and writes nothing but the mirror. The promises are numbered I1 to I13 as in
`docs/reliability.md`; those that our own tables can answer stand in `state/invariants.py`.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from shopify_xero_pipeline.bookkeeper import NOW, Bookkeeper
from shopify_xero_pipeline.changes.agreement import Standing, agreement
from shopify_xero_pipeline.changes.fields import money_of
from shopify_xero_pipeline.clock import CLOCK_WARNED, Clock, offset_words
from shopify_xero_pipeline.state.canonical import exact
from shopify_xero_pipeline.state.invariants import Finding
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import requests, wire
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline.xero.parents import KnownIds

LARGEST = 64_000_000


def connections(bookkeeper: Bookkeeper) -> dict[str, object]:
    """Return who is on either side, as asked of both now.

    Raises:
        ShopifyError: Shopify does not let us in.
        XeroError: Xero does not let us in.
        PolicyError: `books.yaml` does not fit the shop.
    """
    shop = bookkeeper.reader.shop()
    organisation = bookkeeper.organisation(NOW)
    return {
        "shop": f"{bookkeeper.shop_domain}, {shop.currency_code}, {shop.iana_timezone}",
        "organisation in Xero": f"{organisation.name}, {organisation.base_currency}",
        "state store": bookkeeper.store.name,
        "this machine's clock": _clock(bookkeeper),
    }


def _clock(bookkeeper: Bookkeeper) -> str:
    ahead = bookkeeper.xero_client.time.ahead
    if ahead is None:
        return "not compared: Xero's answers bear no date"
    if abs(ahead) <= CLOCK_WARNED:
        return "agrees with Xero's to a minute"
    return f"{offset_words(ahead)} Xero's: set it by a time server (chrony, systemd-timesyncd)"


def examine(
    bookkeeper: Bookkeeper,
    days: Iterable[date],
    clock: Clock,
    *,
    home: Path,
    secrets: Collection[str],
    offline: bool = False,
) -> list[Finding]:
    """Return every promise with what breaks it; the state store is verified first.

    Args:
        bookkeeper: on the store to be examined.
        days: all days of the books.
        clock: the time.
        home: DAGSTER_HOME, searched for secrets and customers' e-mail addresses.
        secrets: values that must stand nowhere in it.
        offline: leave Xero alone and judge by what it showed last.

    Raises:
        StoreDamagedError: the store cannot be trusted, so nothing of it was examined.
        XeroError: Xero does not answer.
    """
    store = bookkeeper.store
    store.verify()
    if not offline:
        bookkeeper.organisation()
        Mirror(bookkeeper.xero_client, store, clock).refresh(Kind, NOW)
    found = [*store.findings(), _mapped(store), _families(store), _days(bookkeeper, days), _leaks(store, home, secrets)]
    return sorted(found, key=lambda one: int(one.number[1:]))


def _mapped(store: StateStore) -> Finding:
    """I2: what we say we wrote is in Xero, once, with the id and the money we say."""
    asked, broken = 0, []
    for kind in Kind:
        rows = store.mapped(kind)
        shown = store.mirrored(kind, [row.xero_id for row in rows.values()])
        asked += len(rows)
        broken += [f"{kind} {row.natural_key}: {said}" for row in rows.values() if (said := _told(row, shown))]
    return Finding(
        "I2", "every record we wrote is in Xero, under the id we know, with the money we posted", asked, broken
    )


def _told(row: MappedRecord, shown: dict[str, MirrorRecord]) -> str:
    found = shown.get(row.xero_id)
    if found is None:
        return "Xero does not show it"
    if found.status in wire.GONE:
        return f"{found.status.lower()} in Xero"
    posted, now = money_of(row.payload), money_of(found.payload)
    return "" if posted is None or now is None or posted == now else f"posted {posted}, now {now}"


def _families(store: StateStore) -> Finding:
    """I12: nothing is in Xero whose document or Contact is not."""
    confirmed = [
        one for one in store.journal.in_state(OperationState.CONFIRMED) if one.payload and one.verb == "create"
    ]
    broken = []
    for start in range(0, len(confirmed), 500):
        some = [requests.read(one) for one in confirmed[start : start + 500]]
        ids = KnownIds(store, [one.record for one in some])
        live = {one.operation.id for one in some if not ids.missing(one.record)}
        broken += [one.operation for one in some if one.operation.id not in live]
    names = [f"{one.kind} {one.natural_key}" for one in broken]
    return Finding("I12", "no record is in Xero before what it depends on", len(confirmed), names)


def _days(bookkeeper: Bookkeeper, days: Iterable[date]) -> Finding:
    """I9: what was compared last agrees, order by order and to the cent; noted are orders that are not in the books."""
    compared = {day.day: agreement([day]) for day in bookkeeper.reconciled(days)}
    broken = [f"{day}: {', '.join(one.wrong)}" for day, one in compared.items() if one.wrong]
    noted = [f"{day}: {', '.join(missing)}" for day, one in compared.items() if (missing := one.missing("the books"))]
    return Finding("I9", "the books agree on every day that was compared", len(compared), broken, noted)


def _leaks(store: StateStore, home: Path, secrets: Collection[str]) -> Finding:
    """I13: no secret and no customer's e-mail address stands in what Dagster keeps."""
    mails = {str(exact(row.payload).get("email") or "") for row in store.mapped(Kind.CONTACT).values()}
    wanted = {text.encode() for text in (*secrets, *mails) if len(text) > 5}
    broken, asked = [], 0
    for path in _files(home):
        asked += 1
        if any(text in content for content in _contents(path) for text in wanted):
            broken.append(str(path.relative_to(home)))
    return Finding("I13", "no secret and no customer's address stands in what Dagster keeps", asked, broken)


def _files(home: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(home):
        yield from (Path(folder) / name for name in sorted(names))


def _contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes in pieces, each with the end of the one before, so that nothing is cut in two."""
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(LARGEST):
            yield tail + piece
            tail = piece[-1_000:]


def sound(found: Iterable[Finding]) -> bool:
    """Tell whether nothing is broken."""
    return not any(one.broken for one in found)


def standing(found: Sequence[Finding]) -> Standing:
    """Return the verdict: a broken promise is a disagreement, and what is only noted leaves the books incomplete."""
    if not sound(found):
        return Standing.DISAGREE
    return Standing.INCOMPLETE if any(one.noted for one in found) else Standing.AGREE


def summary(found: Sequence[Finding]) -> dict[str, object]:
    """Return the findings under the names that `--json` promises."""
    return {
        one.number: {"says": one.says, "asked": one.asked, "broken": list(one.broken), "noted": list(one.noted)}
        for one in found
    }
