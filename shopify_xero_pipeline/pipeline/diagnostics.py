"""The doctor: what must be true of a live store, its books in Xero and its surroundings, asked and told.

It reads Xero, unless told not to, and writes nothing but the mirror. The promises are numbered I1 to I14 as in
`docs/reliability.md`; those that our own tables can answer stand in `state/invariants.py`.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import parse_payload, payload_amount
from shopify_xero_pipeline.changes.models import FieldDiff
from shopify_xero_pipeline.changes.posted_records import RECORD
from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.pipeline.settings_review import FORCE_REFRESH
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Standing, agreement_of_orders, count_of
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.invariants import InvariantResult
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind

READ_CHUNK_BYTES = 64_000_000
FAULTS_OF_THIS_PROGRAM = (
    "this is a fault of the program or of the store: stop automation, keep a copy of the store, report it, and run"
    " `shopify-xero rebuild`"
)
REMEDIES = {
    "I1": "look at both in Xero, void the one that is too many, and sync its day again",
    "I2": "look at them in Xero; what a person changed there stands in `shopify-xero status`",
    "I9": "sync these days; `shopify-xero status` names the orders that do not agree",
    "I10": "run `shopify-xero login`",
    "I11": "end the other processes that call Xero with this app",
    "I12": "look at them in Xero; what a person deleted there stands in `shopify-xero status`",
    "I14": "do for each what stands behind it; `shopify-xero status` shows each record with its page",
    "I13": "delete these files, and change the secret where it was given",
}
"""What a person does about a broken promise; those not named here are broken by us alone."""


def run_diagnostics(
    sync_service: SyncService,
    days: Iterable[date],
    clock: Clock,
    *,
    home: Path,
    secrets: Collection[str],
    offline: bool = False,
) -> list[InvariantResult]:
    """Return every promise with what breaks it; the state store is verified first.

    Args:
        sync_service: on the store to be examined.
        days: all days of the books.
        clock: the time.
        home: DAGSTER_HOME, searched for secrets and customers' e-mail addresses.
        secrets: values that must stand nowhere in it.
        offline: leave Xero alone and judge by what it showed last.

    Raises:
        StoreDamagedError: the store cannot be trusted, so nothing of it was examined.
        XeroError: Xero does not answer.
    """
    store = sync_service.connections.store
    store.verify()
    if not offline:
        sync_service.connections.organisation()
        Mirror(sync_service.connections.xero_client, store, clock).refresh(Kind, FORCE_REFRESH)
    orphans = sync_service.record_ownership.orphans()
    decided = {line.xero_id for lines in day_issues.held_lines(store).values() for line in lines if line.decided}
    gone = {record.xero_id for one in orphans for record in one.records if not record.is_live}
    found = [
        *store.invariants(),
        _mapped(store, gone | decided),
        _families(store),
        _days(sync_service, days),
        _leaks(store, home, secrets),
        _orphans(orphans),
    ]
    return sorted(found, key=lambda one: int(one.number[1:]))


def _mapped(store: StateStore, left_out: Collection[str | None]) -> InvariantResult:
    """I2: what we say we wrote is in Xero, once, under the id and with every part we say.

    Left out, by Xero id, are records without an order that a person voided or deleted, as I14 asks for them, and those
    of which a person decided that they stay different.
    """
    asked, broken = 0, []
    for kind in Kind:
        rows = {key: row for key, row in store.mapped(kind).items() if row.xero_id not in left_out}
        shown = store.mirror_by_xero_id(kind, [row.xero_id for row in rows.values()])
        asked += len(rows)
        broken += [f"{kind} {row.natural_key}: {said}" for row in rows.values() if (said := _told(row, shown))]
    return InvariantResult(
        "I2", "every record we wrote is in Xero, under the id we know, as we posted it", asked, broken
    )


def _told(row: MappedRecord, shown: dict[str, MirrorRecord]) -> str:
    found = shown.get(row.xero_id)
    if found is None:
        return "Xero does not show it"
    if found.status in serialization.REMOVED_STATUSES:
        return f"{found.status.lower()} in Xero"
    parts = [*_money(row, found), *_edited(row, found)]
    return ", ".join(f"{one.field} posted {one.after}, now {one.before}" for one in parts)


def _edited(row: MappedRecord, found: MirrorRecord) -> Sequence[FieldDiff]:
    """Return what else of a document or of money differs; Contacts and Items are people's to change."""
    if row.kind in (Kind.CONTACT, Kind.ITEM):
        return ()
    return find_edits(RECORD.validate_json(row.payload), parse_payload(row.payload), found, None)


def _money(row: MappedRecord, found: MirrorRecord) -> Sequence[FieldDiff]:
    posted, now = payload_amount(row.payload), payload_amount(found.payload)
    if posted is None or now is None or posted == now:
        return ()
    return (FieldDiff(field="amount", before=str(now), after=str(posted)),)


def _families(store: StateStore) -> InvariantResult:
    """I12: nothing is in Xero whose document or Contact is not."""
    confirmed = [
        one for one in store.journal.in_state(OperationState.CONFIRMED) if one.payload and one.verb == "create"
    ]
    broken = []
    for start in range(0, len(confirmed), 500):
        some = [batch_requests.parse_operation(one) for one in confirmed[start : start + 500]]
        ids = ParentIds(store, [one.record for one in some])
        live = {one.operation.id for one in some if not ids.missing(one.record)}
        broken += [one.operation for one in some if one.operation.id not in live]
    names = [f"{one.kind} {one.natural_key}" for one in broken]
    return InvariantResult("I12", "no record is in Xero before what it depends on", len(confirmed), names)


def _days(sync_service: SyncService, days: Iterable[date]) -> InvariantResult:
    """I9: what was compared last agrees, to the cent (I14 asks of orphans); noted are orders not in the books."""
    compared = {day.day: agreement_of_orders([day]) for day in sync_service.stored_reconciliations(days)}
    broken = [f"{day}: {', '.join(one.differences)}" for day, one in compared.items() if one.differences]
    noted = [f"{day}: {', '.join(missing)}" for day, one in compared.items() if (missing := one.missing("the books"))]
    return InvariantResult("I9", "the books agree on every day that was compared", len(compared), broken, noted)


def _orphans(orphans: Sequence[OrphanedOrder]) -> InvariantResult:
    """I14: what of ours is in Xero belongs to an order of the books, or a person decided about it."""
    says = "every record of ours in Xero belongs to an order, or a person decided"
    broken = [f"{one.day}: {one.name}: {one.reason}; {one.remedy}" for one in orphans if one.is_open]
    return InvariantResult("I14", says, len(orphans), broken)


def _leaks(store: StateStore, home: Path, secrets: Collection[str]) -> InvariantResult:
    """I13: no secret and no customer's e-mail address stands in what Dagster keeps."""
    mails = {str(parse_exact_json(row.payload).get("email") or "") for row in store.mapped(Kind.CONTACT).values()}
    wanted = {text.encode() for text in (*secrets, *mails) if len(text) > 5}
    broken, asked = [], 0
    for path in _files(home):
        asked += 1
        if any(text in content for content in _contents(path) for text in wanted):
            broken.append(str(path.relative_to(home)))
    return InvariantResult("I13", "no secret and no customer's address stands in what Dagster keeps", asked, broken)


def _files(home: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(home):
        yield from (Path(folder) / name for name in sorted(names))


def _contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes in pieces, each with the end of the one before, so that nothing is cut in two."""
    with path.open("rb") as file:
        tail = b""
        while piece := file.read(READ_CHUNK_BYTES):
            yield tail + piece
            tail = piece[-1_000:]


def all_passed(found: Iterable[InvariantResult]) -> bool:
    """Tell whether nothing is broken."""
    return not any(one.violations for one in found)


def standing(found: Sequence[InvariantResult]) -> Standing:
    """Return the verdict: a broken promise is a disagreement, and what is only noted leaves the books incomplete."""
    if not all_passed(found):
        return Standing.DISAGREE
    return Standing.INCOMPLETE if any(one.noted for one in found) else Standing.AGREE


def verdict_sentence(found: Sequence[InvariantResult]) -> str:
    """Return the verdict as a sentence."""
    broken = [one.number for one in found if one.violations]
    if broken:
        return f"{len(broken)} of {count_of(len(found), 'promise')} broken: {', '.join(broken)}"
    noted = "; orders are not in the books" if any(one.noted for one in found) else ""
    return f"all {len(found)} promises hold{noted}"


def summary(found: Sequence[InvariantResult]) -> dict[str, object]:
    """Return the findings under the names that `--json` promises."""
    return {
        one.number: {
            "status": "fail" if one.violations else "pass",
            "message": one.description,
            "checked": one.checked,
            "violations": list(one.violations),
            "noted": list(one.noted),
            "remedy": remedy(one) if one.violations else "",
        }
        for one in found
    }


def remedy(found: InvariantResult) -> str:
    """Return what a person does about a broken promise."""
    return REMEDIES.get(found.number, FAULTS_OF_THIS_PROGRAM)
