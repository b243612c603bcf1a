"""The outcomes of operations, from the elements of a response or the hits of a look-up.

This module is pure: it sends, reads and stores nothing. It matches elements by natural key, never by position, and
confirms only an element with a real Xero id and the planned money. Any other operation stays open or goes to review.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shopify_xero_pipeline.loading import refusals
from shopify_xero_pipeline.loading.batch_requests import ATTEMPTS_BEFORE_SPLIT, JournalledWrite
from shopify_xero_pipeline.state.canonical import canonical_json, digest
from shopify_xero_pipeline.state.records import (
    UNANSWERED,
    Evidence,
    MappedRecord,
    OperationOutcome,
    OperationState,
)
from shopify_xero_pipeline.xero import serialization
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Contact

OUTCOME_OF_VERB = {"create": "created", "update": "updated", "adopt": "adopted", "delete": "deleted"}
IDENTITY_FIELDS = frozenset({"kind", "shopify_id", "contact_number", "code"})
"""Fields that identify a Contact or an Item."""

VISIBILITY_LAG = timedelta(hours=1)
"""How long Xero may report a key as taken without a visible record, before the operation goes to review."""


@dataclass
class OutcomeContext:
    """The input of an outcome besides the record.

    Attributes:
        now: our time in UTC, for stored rows.
        owners: Shopify id by mapped Xero id, within one kind; `confirm` adds to it.
        xero_now: Xero's time, or None if unknown.
        correlation_id: Xero's id of the call, if its response gives the outcome.
    """

    now: datetime
    owners: dict[str, str] = field(default_factory=dict)
    xero_now: datetime | None = None
    correlation_id: str | None = None

    def confirm(self, write: JournalledWrite, element: Element, outcome: str) -> OperationOutcome:
        """Return a confirmation, or a review if the element's Xero id belongs to another record.

        Args:
            write: the write of the record.
            element: the record in Xero, with its id.
            outcome: created, updated, adopted or deleted.
        """
        operation, record = write.operation, write.record
        content = canonical_json(record.content())
        xero_id = str(element.xero_id)
        owner = self.owners.setdefault(xero_id, operation.shopify_id)
        if owner != operation.shopify_id:
            reason = f"Xero's record already stands for {record.kind} {owner} of Shopify"
            return review_outcome(write, reason, self.correlation_id)
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
        return OperationOutcome(
            operation_id=operation.id,
            expected_state=(operation.state, operation.batch_id),
            state=OperationState.CONFIRMED,
            outcome=outcome,
            mapped=mapped,
            mirrored=element.to_row(operation.natural_key),
            correlation_id=self.correlation_id,
        )

    def recognise(self, write: JournalledWrite, element: Element) -> OperationOutcome:
        """Return the adoption of an element in place of a create.

        An earlier write may have given our Contact or Item other content. Then only its identity counts as posted, so
        the next plan updates it.
        """
        outcome = self.confirm(write, element, "adopted")
        if outcome.mapped is None or serialization.contains(write.record, element):
            return outcome
        content = canonical_json(
            {name: value for name, value in write.record.content().items() if name in IDENTITY_FIELDS}
        )
        mapped = outcome.mapped.model_copy(update={"payload": content, "checksum": digest(content)})
        return outcome.model_copy(update={"mapped": mapped})


def needs_check(write: JournalledWrite, message: str, correlation_id: str | None) -> OperationOutcome:
    """Return an outcome that a read-back must decide, with Xero's masked message as its reason.

    Args:
        write: the write of the record.
        message: Xero's message.
        correlation_id: Xero's id of the call.
    """
    reason = refusals.safe_message(message, write.record)
    return _build_outcome(write, OperationState.NEEDS_CHECK, reason, correlation_id=correlation_id)


def outcomes_from_response(
    writes: Sequence[JournalledWrite],
    elements: Iterable[Element],
    ids: serialization.IdResolver,
    context: OutcomeContext,
) -> list[OperationOutcome]:
    """Return the outcomes of a batch; a write without exactly one matching element has none.

    Args:
        writes: the batch.
        elements: the elements of the response, in any order.
        ids: Xero ids of the parents.
        context: see `OutcomeContext`.
    """
    by_key: dict[str, list[Element]] = defaultdict(list)
    for element in elements:
        by_key[element.correlation_key].append(element)
    outcomes = []
    for write in writes:
        matches = by_key.get(write.correlation_key(ids), [])
        outcome = _element_outcome(write, matches[0], context) if len(matches) == 1 else None
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def outcome_from_lookup(
    write: JournalledWrite,
    hits: Sequence[Element],
    context: OutcomeContext,
    *,
    how: str,
    sent_at: datetime | None = None,
    checking: bool = False,
) -> OperationOutcome:
    """Return the outcome of an operation after a look-up by natural key, with the evidence.

    Args:
        write: the write of the record.
        hits: all elements in Xero with its natural key.
        context: see `OutcomeContext`.
        how: the look-up, in words for people.
        sent_at: when the request left, by Xero's clock, or None if unknown.
        checking: True after a refusal of Xero, False after no usable response.
    """
    outcome = _lookup_outcome(write, hits, context, sent_at, checking)
    evidence = Evidence(
        operation_id=write.operation.id,
        batch_id=write.operation.batch_id,
        natural_key=write.operation.natural_key,
        looked_up_at=context.now,
        xero_looked_up_at=context.xero_now,
        how=how,
        hits=len(hits),
        fingerprint="; ".join(hit.fingerprint() for hit in hits),
    )
    return outcome.model_copy(update={"evidence": evidence})


def adoption_outcome(
    write: JournalledWrite, element: Element | None, context: OutcomeContext
) -> OperationOutcome | None:
    """Return the outcome of an adoption; None if a request must still write our ContactNumber.

    Args:
        write: the adoption.
        element: the record in the mirror, or None.
        context: see `OutcomeContext`.
    """
    if element is None:
        return rejection_outcome(write, "the record to adopt is no longer in Xero; plan the day again.", retryable=True)
    if isinstance(write.record, Contact) and element.natural_key != write.operation.natural_key:
        return None
    # The ContactNumber alone makes a Contact ours; an archived one, perhaps merged into another, is mapped as it is.
    problem = "" if isinstance(write.record, Contact) else serialization.mismatch(write.record, element)
    if serialization.has_foreign_reference(write.record, element):
        problem = f"the number {write.operation.natural_key} belongs to another document in Xero"
    return review_outcome(write, problem) if problem else context.confirm(write, element, "adopted")


def review_outcome(write: JournalledWrite, reason: str, correlation_id: str | None = None) -> OperationOutcome:
    """Return an outcome for review by a person; the loader does not write the record until Xero agrees with it.

    Args:
        write: the write of the record.
        reason: the difference, without a full stop.
        correlation_id: Xero's id of the call.
    """
    text = f"{reason}. Compare both sides and correct Xero, then load the day again."
    return _build_outcome(write, OperationState.NEEDS_REVIEW, text, correlation_id=correlation_id)


def refusal_outcome(write: JournalledWrite, message: str, correlation_id: str | None = None) -> OperationOutcome:
    """Return a rejection by Xero, with its masked message and what a person can do.

    Args:
        write: the write of the record.
        message: Xero's message.
        correlation_id: Xero's id of the call.
    """
    reason = refusals.explain(refusals.safe_message(message, write.record))
    retryable = refusals.refusal_kind(message).retryable
    return _build_outcome(write, OperationState.REJECTED, reason, retryable=retryable, correlation_id=correlation_id)


def rejection_outcome(write: JournalledWrite, reason: str, *, retryable: bool) -> OperationOutcome:
    """Return a rejection by the loader itself.

    Args:
        write: the write of the record.
        reason: a whole sentence for people.
        retryable: whether a later load may succeed without a change of settings.
    """
    return _build_outcome(write, OperationState.REJECTED, reason, retryable=retryable)


def _element_outcome(write: JournalledWrite, element: Element, context: OutcomeContext) -> OperationOutcome | None:
    if element.has_errors:
        return needs_check(write, refusals.error_messages(element.fields), context.correlation_id)
    if element.xero_id is None or write.operation.xero_id not in (None, element.xero_id):
        return None
    problem = serialization.mismatch(write.record, element)
    if problem:
        return review_outcome(write, problem, context.correlation_id)
    return context.confirm(write, element, OUTCOME_OF_VERB[write.operation.verb])


def _lookup_outcome(
    write: JournalledWrite, hits: Sequence[Element], context: OutcomeContext, sent_at: datetime | None, checking: bool
) -> OperationOutcome:
    if write.operation.verb == "delete":
        return _deletion_outcome(write, hits, checking)
    own = [hit for hit in hits if not serialization.has_foreign_reference(write.record, hit)]
    if len(own) > 1:
        return review_outcome(write, f"Xero shows {len(own)} records under {write.operation.natural_key}")
    if write.operation.xero_id is not None:
        return _update_outcome(write, own, context, checking)
    if own:
        problem = serialization.mismatch(write.record, own[0])
        return review_outcome(write, problem) if problem else context.recognise(write, own[0])
    if hits:
        reason = f"the number {write.operation.natural_key} belongs to another document in Xero"
        return rejection_outcome(write, f"{reason}; give one of the two another number.", retryable=True)
    return _absence_outcome(write, context, sent_at, checking)


def _deletion_outcome(write: JournalledWrite, hits: Sequence[Element], checking: bool) -> OperationOutcome:
    """Return the outcome of a delete, which is idempotent; it is confirmed if the Allocation is gone."""
    if any(hit.xero_id == write.operation.xero_id for hit in hits):
        return refusal_outcome(write, write.operation.reason) if checking else replan(write)
    return _build_outcome(write, OperationState.CONFIRMED, "").model_copy(
        update={"outcome": "deleted", "removed": True}
    )


def _update_outcome(
    write: JournalledWrite, own: Sequence[Element], context: OutcomeContext, checking: bool
) -> OperationOutcome:
    """Return the outcome of an update or adoption, which are idempotent; it is confirmed if Xero has the content."""
    same = [hit for hit in own if hit.xero_id == write.operation.xero_id]
    if same and (write.operation.verb == "adopt" or serialization.contains(write.record, same[0])):
        return context.confirm(write, same[0], OUTCOME_OF_VERB[write.operation.verb])
    if own and not same:
        return review_outcome(write, f"another record in Xero has {write.operation.natural_key}")
    return refusal_outcome(write, write.operation.reason) if checking else replan(write)


def _absence_outcome(
    write: JournalledWrite, context: OutcomeContext, sent_at: datetime | None, checking: bool
) -> OperationOutcome:
    if not checking:
        return replan(write)
    if not refusals.is_key_clash(write.operation.reason):
        return refusal_outcome(write, write.operation.reason)
    if sent_at is None or context.xero_now is None or context.xero_now - sent_at > VISIBILITY_LAG:
        return review_outcome(write, f"Xero reports {write.operation.natural_key} as taken but shows no record with it")
    return _build_outcome(write, OperationState.NEEDS_CHECK, write.operation.reason)


def replan(write: JournalledWrite) -> OperationOutcome:
    """Return an outcome that plans a record again, as it is certainly not in Xero.

    The outcome is a rejection if Xero gave no usable response to the record even alone in its batch.
    """
    attempts = write.operation.attempts
    if attempts >= len(ATTEMPTS_BEFORE_SPLIT):
        reason = (
            f"Xero gave no usable response {attempts} times, the last time to this record alone: "
            f"{write.operation.reason}"
        )
        unanswered = _build_outcome(write, OperationState.REJECTED, reason, retryable=True)
        return unanswered.model_copy(update={"outcome": UNANSWERED})
    return _build_outcome(write, OperationState.PLANNED, "it did not reach Xero and is sent again")


def _build_outcome(
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
