"""What became of each record: read from the elements of an answer, or from what a look-up found. Pure.

Elements are matched by natural key, never by position. Confirmed is only what bears a real Xero id and shows the
planned money; whatever is less certain stays open or goes to a person. Nothing here sends, reads or stores.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shopify_xero_pipeline.loading import refusals
from shopify_xero_pipeline.loading.batch_requests import ATTEMPTS_BEFORE_SPLIT, JournalledWrite
from shopify_xero_pipeline.state.canonical import canonical_json, digest, parse_exact_json
from shopify_xero_pipeline.state.records import (
    UNANSWERED,
    Evidence,
    MappedRecord,
    MirrorRecord,
    OperationOutcome,
    OperationState,
)
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.models import Contact, Kind
from shopify_xero_pipeline.xero.serialization import Element

OUTCOME_OF_VERB = {"create": "created", "update": "updated", "adopt": "adopted", "delete": "deleted"}
IDENTITY_FIELDS = frozenset({"kind", "shopify_id", "contact_number", "code"})
VISIBILITY_LAG = timedelta(hours=1)
"""How long a key that Xero calls taken may stay unseen before a person is asked."""


@dataclass
class OutcomeContext:
    """What is needed to give a verdict: the time, and which Xero ids already stand for which record.

    `now` is ours and dates what we keep, `xero_now` is Xero's, if it was asked.
    """

    now: datetime
    owners: dict[str, str] = field(default_factory=dict)
    xero_now: datetime | None = None

    def confirm(
        self, write: JournalledWrite, found: Element, outcome: str, correlation_id: str | None = None
    ) -> OperationOutcome:
        """Record that an element is the record, unless it already stands for another one."""
        operation, record = write.operation, write.record
        content = canonical_json(record.content())
        xero_id = str(serialization.id_of(record.kind, found))
        owner = self.owners.setdefault(xero_id, operation.shopify_id)
        if owner != operation.shopify_id:
            return review_outcome(
                write, f"Xero's record already stands for {record.kind} {owner} of Shopify", correlation_id
            )
        mapped = MappedRecord(
            kind=record.kind,
            shopify_id=operation.shopify_id,
            xero_id=xero_id,
            natural_key=operation.natural_key,
            checksum=digest(content),
            payload=content,
            order_id=operation.order_id,
            partition=operation.partition,
            run_id=operation.run_id,
            posted_at=self.now,
        )
        shown = serialization.mirror_record(record.kind, found, operation.natural_key)
        return OperationOutcome(
            operation_id=operation.id,
            expected_state=(operation.state, operation.batch_id),
            state=OperationState.CONFIRMED,
            outcome=outcome,
            mapped=mapped,
            mirrored=shown,
            correlation_id=correlation_id,
        )

    def recognise(self, write: JournalledWrite, found: Element) -> OperationOutcome:
        """Record that an element is a record that was to be created.

        A Contact or Item of ours may have been written before with other words. Then only whose it is is known to be
        posted, so that the next plan brings it up to date.
        """
        verdict = self.confirm(write, found, "adopted")
        if verdict.mapped is None or serialization.contains(write.record, found):
            return verdict
        content = canonical_json(
            {name: value for name, value in write.record.content().items() if name in IDENTITY_FIELDS}
        )
        mapped = verdict.mapped.model_copy(update={"payload": content, "checksum": digest(content)})
        return verdict.model_copy(update={"mapped": mapped})


def with_mirrored_copy(verdict: OperationOutcome, standing: str) -> OperationOutcome:
    """Return a refusal with how Xero shows what stands in the record's place, so that both sides are seen."""
    if not standing or verdict.state is not OperationState.REJECTED:
        return verdict
    return verdict.model_copy(update={"reason": f"{verdict.reason} {standing}"})


def needs_check(write: JournalledWrite, message: str, correlation_id: str | None) -> OperationOutcome:
    """Leave it to a look at Xero what became of a record, with what Xero said."""
    said = refusals.safe_message(message, write.record)
    return _open(write, OperationState.NEEDS_CHECK, said, correlation_id=correlation_id)


def outcomes_from_response(
    kind: Kind,
    writes: Sequence[JournalledWrite],
    found: Iterable[Element],
    ids: serialization.IdResolver,
    desk: OutcomeContext,
    correlation_id: str | None,
) -> list[OperationOutcome]:
    """Return verdicts from the elements of an answer; a write whose fate they do not show gets none."""
    by_key: dict[str, list[Element]] = defaultdict(list)
    for one in found:
        by_key[serialization.correlation_key(kind, one)].append(one)
    verdicts = []
    for write in writes:
        matching = by_key.get(serialization.correlation_key(kind, write.element(ids)), [])
        verdict = _element_verdict(write, matching[0], desk, correlation_id) if len(matching) == 1 else None
        if verdict is not None:
            verdicts.append(verdict)
    return verdicts


def outcome_from_lookup(
    write: JournalledWrite,
    hits: Sequence[Element],
    desk: OutcomeContext,
    *,
    how: str,
    sent_at: datetime | None,
    checking: bool,
) -> OperationOutcome:
    """Return the verdict from what a look-up by natural key found, with the evidence.

    Args:
        write: what was to be written.
        hits: all that Xero shows under its natural key.
        desk: see `Desk`.
        how: the look-up, in words.
        sent_at: when its request left, by Xero's clock, if that is known.
        checking: Xero said that it refused the record; otherwise Xero said nothing usable.
    """
    verdict = _hits_verdict(write, hits, desk, sent_at, checking)
    seen = Evidence(
        operation_id=write.operation.id,
        batch_id=write.operation.batch_id,
        natural_key=write.operation.natural_key,
        looked_up_at=desk.now,
        xero_looked_up_at=desk.xero_now,
        how=how,
        hits=len(hits),
        fingerprint="; ".join(serialization.fingerprint(hit) for hit in hits),
    )
    return verdict.model_copy(update={"evidence": seen})


def outcome_from_mirror(write: JournalledWrite, rows: Sequence[MirrorRecord], desk: OutcomeContext) -> OperationOutcome:
    """Return the verdict on a record that the mirror shows under its natural key before it was ever sent."""
    found = [parse_exact_json(row.payload) for row in rows]
    return outcome_from_lookup(
        write, found, desk, how="all that Xero shows, by natural key", sent_at=None, checking=False
    )


def adoption_outcome(
    write: JournalledWrite, shown: MirrorRecord | None, desk: OutcomeContext
) -> OperationOutcome | None:
    """Return the verdict on a record that is in Xero already; None if our ContactNumber is still to be written."""
    if shown is None:
        return rejection_outcome(
            write, "it was to be adopted, but Xero no longer shows it; plan the day again.", retryable=True
        )
    found = parse_exact_json(shown.payload)
    if (
        isinstance(write.record, Contact)
        and serialization.natural_key(Kind.CONTACT, found) != write.operation.natural_key
    ):
        return None
    # A Contact is ours by its number alone; an archived one, perhaps merged into another, is mapped as such.
    problem = "" if isinstance(write.record, Contact) else serialization.mismatch(write.record, found)
    if serialization.has_foreign_reference(write.record, found):
        problem = f"the number {write.operation.natural_key} belongs to another document in Xero"
    return review_outcome(write, problem) if problem else desk.confirm(write, found, "adopted")


def review_outcome(write: JournalledWrite, reason: str, correlation_id: str | None = None) -> OperationOutcome:
    """Leave a record to a person: nothing more is written of it, or for it, until what Xero shows agrees."""
    told = f"{reason}. Compare both sides and correct Xero, then load the day again."
    return _open(write, OperationState.NEEDS_REVIEW, told, correlation_id=correlation_id)


def refusal_outcome(write: JournalledWrite, message: str, correlation_id: str | None = None) -> OperationOutcome:
    """Record a refusal in Xero's own words."""
    said = refusals.safe_message(message, write.record)
    retryable = refusals.refusal_kind(message).retryable
    return _open(
        write, OperationState.REJECTED, refusals.explain(said), retryable=retryable, correlation_id=correlation_id
    )


def rejection_outcome(write: JournalledWrite, reason: str, *, retryable: bool) -> OperationOutcome:
    """Refuse a record ourselves, for a reason of our own."""
    return _open(write, OperationState.REJECTED, reason, retryable=retryable)


def _element_verdict(
    write: JournalledWrite, found: Element, desk: OutcomeContext, correlation_id: str | None
) -> OperationOutcome | None:
    errors = found.get("ValidationErrors") or found.get("HasErrors") or found.get("HasValidationErrors")
    if errors or found.get("StatusAttributeString") == "ERROR":
        return needs_check(write, refusals.error_messages(found), correlation_id)
    xero_id = serialization.id_of(write.record.kind, found)
    if xero_id is None or write.operation.xero_id not in (None, xero_id):
        return None
    problem = serialization.mismatch(write.record, found)
    if problem:
        return review_outcome(write, problem, correlation_id)
    return desk.confirm(write, found, OUTCOME_OF_VERB[write.operation.verb], correlation_id)


def _hits_verdict(
    write: JournalledWrite, hits: Sequence[Element], desk: OutcomeContext, sent_at: datetime | None, checking: bool
) -> OperationOutcome:
    if write.operation.verb == "delete":
        return _deletion_verdict(write, hits, checking)
    own = [hit for hit in hits if not serialization.has_foreign_reference(write.record, hit)]
    if len(own) > 1:
        return review_outcome(write, f"Xero shows {len(own)} records under {write.operation.natural_key}")
    if write.operation.xero_id is not None:
        return _known_verdict(write, own, desk, checking)
    if own:
        problem = serialization.mismatch(write.record, own[0])
        return review_outcome(write, problem) if problem else desk.recognise(write, own[0])
    if hits:
        reason = f"the number {write.operation.natural_key} belongs to another document in Xero"
        return rejection_outcome(write, f"{reason}; ours needs another number, or that one another.", retryable=True)
    return _absent_verdict(write, desk, sent_at, checking)


def _deletion_verdict(write: JournalledWrite, hits: Sequence[Element], checking: bool) -> OperationOutcome:
    """What is to be taken back is gone, whoever did it, or it is still there; asking for it twice does no harm."""
    if any(serialization.id_of(write.record.kind, hit) == write.operation.xero_id for hit in hits):
        return _refusal(write) if checking else replan(write)
    return _open(write, OperationState.CONFIRMED, "").model_copy(update={"outcome": "deleted", "removed": True})


def _known_verdict(
    write: JournalledWrite, own: Sequence[Element], desk: OutcomeContext, checking: bool
) -> OperationOutcome:
    """An update or an adoption: sending it twice does no harm, so it is only asked whether it has taken effect."""
    same = [hit for hit in own if serialization.id_of(write.record.kind, hit) == write.operation.xero_id]
    if same and (write.operation.verb == "adopt" or serialization.contains(write.record, same[0])):
        return desk.confirm(write, same[0], OUTCOME_OF_VERB[write.operation.verb])
    if own and not same:
        return review_outcome(write, f"another record in Xero bears {write.operation.natural_key}")
    return _refusal(write) if checking else replan(write)


def _absent_verdict(
    write: JournalledWrite, desk: OutcomeContext, sent_at: datetime | None, checking: bool
) -> OperationOutcome:
    if not checking:
        return replan(write)
    if not refusals.is_key_clash(write.operation.reason):
        return _refusal(write)
    if sent_at is None or desk.xero_now is None or desk.xero_now - sent_at > VISIBILITY_LAG:
        return review_outcome(write, f"Xero says that {write.operation.natural_key} is taken but does not show by what")
    return _open(write, OperationState.NEEDS_CHECK, write.operation.reason)


def _refusal(write: JournalledWrite) -> OperationOutcome:
    return refusal_outcome(write, write.operation.reason, write.operation.correlation_id)


def replan(write: JournalledWrite) -> OperationOutcome:
    """Plan a record afresh: it is certainly not in Xero. One that Xero cannot answer even alone is told as failed."""
    tries = write.operation.attempts
    if tries >= len(ATTEMPTS_BEFORE_SPLIT):
        reason = (
            f"Xero gave no usable answer {tries} times, the last time to this record alone: {write.operation.reason}"
        )
        unanswered = _open(write, OperationState.REJECTED, reason, retryable=True)
        return unanswered.model_copy(update={"outcome": UNANSWERED})
    return _open(write, OperationState.PLANNED, "it did not reach Xero; it is sent again")


def _open(
    write: JournalledWrite,
    state: OperationState,
    reason: str,
    *,
    retryable: bool = False,
    correlation_id: str | None = None,
) -> OperationOutcome:
    return OperationOutcome(
        operation_id=write.operation.id,
        expected_state=(write.operation.state, write.operation.batch_id),
        state=state,
        reason=reason,
        retryable=retryable,
        correlation_id=correlation_id or write.operation.correlation_id,
    )
