"""Diagnostics of a live state store, of its books in Xero and of Dagster's files.

It checks the invariants I1 to I14 of `docs/reliability.md`. It reads Xero unless it runs offline, and writes only the
mirror. This module only has the checks that need Xero or Dagster's files; those on the store's own tables are in
`state/invariants.py`.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from shopify_xero_pipeline.changes.drift import find_edits
from shopify_xero_pipeline.changes.fields import parse_payload, payload_amount
from shopify_xero_pipeline.changes.models import FieldDiff
from shopify_xero_pipeline.loading import batch_requests
from shopify_xero_pipeline.loading.parent_ids import ParentIds
from shopify_xero_pipeline.pipeline import day_issues
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.orphans import OrphanedOrder
from shopify_xero_pipeline.reconciliation.verdict import Standing, count_of
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.invariants import InvariantResult
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.elements import REMOVED_STATUSES
from shopify_xero_pipeline.xero.models import RECORD, Kind

READ_CHUNK_BYTES = 64_000_000
PARSE_CHUNK_OPERATIONS = 500
"""Operations whose payloads are in memory at once."""

MIN_SECRET_LENGTH = 6
"""Shorter texts occur by chance in files and are not searched for."""

INTERNAL_FAULT_REMEDY = (
    "this is a fault of the program or of the store: stop automation, keep a copy of the store, report it, and run"
    " `shopify-xero rebuild`"
)
REMEDIES = {
    "I1": "look at both in Xero, void the duplicate, and sync its day again",
    "I2": "look at them in Xero; `shopify-xero status` lists changes by people",
    "I9": "sync these days; `shopify-xero status` lists the orders",
    "I10": "run `shopify-xero login`",
    "I11": "end other processes that call Xero with this app",
    "I12": "look at them in Xero; `shopify-xero status` lists deletions by people",
    "I14": "follow the remedy after each of them; `shopify-xero status` shows each record with its page",
    "I13": "delete these files, and change the secret at its source",
}
"""Remedies of violated invariants; without an entry, a violation is a fault of the program."""


def run_diagnostics(
    sync_service: SyncService,
    *,
    home: Path,
    secrets: Collection[str],
    offline: bool = False,
) -> list[InvariantResult]:
    """Return the result of every invariant, by number, after a verification of the state store.

    Args:
        sync_service: the sync service on the store to check.
        home: DAGSTER_HOME, searched for secrets and customers' e-mail addresses.
        secrets: values that must not be in any file of it.
        offline: make no call, and use Xero's records of the last read.

    Raises:
        StoreDamagedError: the store is damaged, and nothing was checked.
        XeroError: Xero does not respond.
    """
    store = sync_service.connections.store
    store.verify()
    if not offline:
        sync_service.connections.organisation()
        sync_service.connections.mirror.refresh(Kind, FORCE_REFRESH)
    orphans = sync_service.record_ownership.orphans()
    decided = {line.xero_id for lines in day_issues.held_lines(store).values() for line in lines if line.decided}
    removed = {record.xero_id for orphan in orphans for record in orphan.records if not record.is_live}
    results = [
        *store.invariants(),
        _check_mapped_records(store, removed | decided),
        _check_parents(store),
        _check_days(sync_service),
        _check_files(store, home, secrets),
        _check_orphans(orphans),
    ]
    return sorted(results, key=lambda result: int(result.number[1:]))


def _check_mapped_records(store: StateStore, excluded: Collection[str | None]) -> InvariantResult:
    """Return I2: every mapped record is in Xero, under its id and with the posted content.

    `excluded` has the Xero ids of orphaned records that a person voided or deleted, because I14 covers them, and of
    records with a person's decision to leave them different.
    """
    checked, violations = 0, []
    for kind in Kind:
        rows = {key: row for key, row in store.mapped(kind).items() if row.xero_id not in excluded}
        mirror_rows = store.mirror_by_xero_id(kind, [row.xero_id for row in rows.values()])
        checked += len(rows)
        violations += [
            f"{kind} {row.natural_key}: {difference}"
            for row in rows.values()
            if (difference := _describe_difference(row, mirror_rows.get(row.xero_id)))
        ]
    return InvariantResult(
        "I2", "every mapped record is in Xero, under its id and with the posted content", checked, violations
    )


def _describe_difference(row: MappedRecord, mirrored: MirrorRecord | None) -> str:
    if mirrored is None:
        return "not in Xero"
    if mirrored.status in REMOVED_STATUSES:
        return f"{mirrored.status.lower()} in Xero"
    fields, posted, now = [], payload_amount(row.payload), payload_amount(mirrored.payload)
    if posted is not None and now is not None and posted != now:
        fields.append(FieldDiff(field="amount", before=str(now), after=str(posted)))
    if row.kind not in (Kind.CONTACT, Kind.ITEM):  # people may change these
        fields += find_edits(RECORD.validate_json(row.payload), parse_payload(row.payload), mirrored, None)
    return ", ".join(f"{field.field} posted {field.after}, now {field.before}" for field in fields)


def _check_parents(store: StateStore) -> InvariantResult:
    """Return I12: no record is in Xero without its document or Contact."""
    confirmed = [
        operation
        for operation in store.journal.in_state(OperationState.CONFIRMED)
        if operation.payload and operation.verb == "create"
    ]
    violations = []
    for start in range(0, len(confirmed), PARSE_CHUNK_OPERATIONS):
        chunk = confirmed[start : start + PARSE_CHUNK_OPERATIONS]
        writes = [batch_requests.parse_operation(operation) for operation in chunk]
        ids = ParentIds(store, [write.record for write in writes])
        violations += [
            f"{write.operation.kind} {write.operation.natural_key}" for write in writes if ids.missing(write.record)
        ]
    return InvariantResult("I12", "no record is in Xero before its parent", len(confirmed), violations)


def _check_days(sync_service: SyncService) -> InvariantResult:
    """Return I9: the last reconciliations agree, to the cent.

    I14 covers orphans. Orders that are not in the books are noted.
    """
    days = sync_service.reconciliations.summaries(sync_service.connections.days())
    agreements = {day.day: day.agreement for day in days}
    violations = [
        f"{day}: {', '.join(agreement.differences)}" for day, agreement in agreements.items() if agreement.differences
    ]
    noted = [
        f"{day}: {', '.join(missing)}"
        for day, agreement in agreements.items()
        if (missing := agreement.missing("the books"))
    ]
    return InvariantResult("I9", "the books agree on every reconciled day", len(agreements), violations, noted)


def _check_orphans(orphans: Sequence[OrphanedOrder]) -> InvariantResult:
    """Return I14: every record of this project in Xero belongs to an order of the books, or a person decided."""
    description = "every record of this project in Xero belongs to an order, or a person decided"
    violations = [
        f"{orphan.day}: {orphan.name}: {orphan.reason}; {orphan.remedy}" for orphan in orphans if orphan.is_open
    ]
    return InvariantResult("I14", description, len(orphans), violations)


def _check_files(store: StateStore, home: Path, secrets: Collection[str]) -> InvariantResult:
    """Return I13: no secret and no customer's e-mail address is in Dagster's files."""
    emails = {str(parse_exact_json(row.payload).get("email") or "") for row in store.mapped(Kind.CONTACT).values()}
    patterns = {text.encode() for text in (*secrets, *emails) if len(text) >= MIN_SECRET_LENGTH}
    violations, checked = [], 0
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        checked += 1
        if any(pattern in chunk for chunk in _read_chunks(path) for pattern in patterns):
            violations.append(str(path.relative_to(home)))
    return InvariantResult("I13", "no secret and no customer's address is in Dagster's files", checked, violations)


def _read_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes in chunks that overlap, so that no pattern is split."""
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(READ_CHUNK_BYTES):
            yield tail + chunk
            tail = chunk[-1_000:]  # finds patterns of up to 1,000 bytes


def standing(results: Sequence[InvariantResult]) -> Standing:
    """Return the verdict; a violation is a disagreement, and a note makes the books incomplete.

    Args:
        results: of `run_diagnostics`.
    """
    if any(result.violations for result in results):
        return Standing.DISAGREE
    return Standing.INCOMPLETE if any(result.noted for result in results) else Standing.AGREE


def verdict_sentence(results: Sequence[InvariantResult]) -> str:
    """Return the verdict as a sentence.

    Args:
        results: of `run_diagnostics`.
    """
    violated = [result.number for result in results if result.violations]
    if violated:
        return f"{len(violated)} of {count_of(len(results), 'invariant')} violated: {', '.join(violated)}"
    noted = "; orders are not in the books" if any(result.noted for result in results) else ""
    return f"all {len(results)} invariants hold{noted}"


def summary(results: Sequence[InvariantResult]) -> dict[str, object]:
    """Return the results under the keys of `--json`.

    Args:
        results: of `run_diagnostics`.
    """
    return {
        result.number: {
            "status": "fail" if result.violations else "pass",
            "message": result.description,
            "checked": result.checked,
            "violations": list(result.violations),
            "noted": list(result.noted),
            "remedy": remedy(result) if result.violations else "",
        }
        for result in results
    }


def remedy(result: InvariantResult) -> str:
    """Return the remedy of a violated invariant."""
    return REMEDIES.get(result.number, INTERNAL_FAULT_REMEDY)
