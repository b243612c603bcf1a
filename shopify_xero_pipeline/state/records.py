"""Models of the state store's rows. This module only defines models; the tables are in `tables.py`.

Kinds are text (`contact`, `item`, `invoice`, `credit_note`, `payment`, `allocation`), payloads are canonical JSON text
with exact decimals, instants are UTC, days are in the shop's time zone.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """Frozen base of all rows. Validation errors never quote a value, because it may be personal."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class MappedRecord(Row):
    """A record in Xero with its Xero id. `payload` is the posted content."""

    kind: str
    shopify_id: str
    xero_id: str
    natural_key: str
    checksum: str
    payload: str
    order_id: str | None = None
    partition: date
    run_id: str
    posted_at: datetime


class MirrorRecord(Row):
    """A record in Xero as of the last read, made by this project or by people. `payload` is Xero's element."""

    kind: str
    xero_id: str
    natural_key: str
    reference: str
    status: str
    updated_at: datetime
    payload: str


class SyncError(Row):
    """A failed record, with the data to understand and retry it."""

    kind: str
    shopify_id: str
    natural_key: str
    order_id: str | None = None
    partition: date
    run_id: str
    reason: str
    retryable: bool
    attempts: int
    payload: str
    correlation_id: str | None = None
    first_failed_at: datetime
    last_failed_at: datetime
    resolved_at: datetime | None = None
    payload_hash: str = ""
    next_attempt_at: datetime | None = None
    dismissed_at: datetime | None = None
    dismissal_reason: str = ""


class OrphanNote(Row):
    """A note that an order is an orphan.

    Attributes:
        partition: the day under which the order is listed.
        cause: the cause, as in `reconciliation/orphans.py`.
        detail: details of the cause, such as why a posted order is now skipped; may be empty.
        noted_at: the time when the cause was first detected.
        looked_up_at: the time of the last look-up in Shopify.
    """

    order_id: str
    partition: date
    cause: str
    detail: str = ""
    noted_at: datetime
    looked_up_at: datetime


class KeptRecord(Row):
    """A person's decision that the record of an orphaned order stays in Xero unchanged."""

    xero_id: str
    kind: str
    natural_key: str
    order_id: str
    because: str
    decided_at: datetime


class HistoryRow(Row):
    """The counts of one load for one kind on one day. `calls` and `duration_ms` are totals of the whole load."""

    run_id: str
    partition: date
    kind: str
    created: int = 0
    updated: int = 0
    adopted: int = 0
    deleted: int = 0
    unchanged: int = 0
    failed: int = 0
    postponed: int = 0
    calls: int = 0
    duration_ms: int = 0
    finished_at: datetime


class OperationState(StrEnum):
    """The state of an operation. In the first four states it is open: not yet in Xero, or perhaps there."""

    PLANNED = "planned"
    IN_BATCH = "in_batch"
    NEEDS_CHECK = "needs_check"
    NEEDS_REVIEW = "needs_review"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN = (OperationState.PLANNED, OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)
NOT_YET_WRITTEN = (OperationState.PLANNED, OperationState.IN_BATCH, OperationState.NEEDS_CHECK)

UNANSWERED = "unanswered"
"""Outcome of an operation rejected because Xero could not answer it; a new plan continues its count of attempts."""


class BatchState(StrEnum):
    """The state of a batch. INTENT: no byte has left. SENT, AMBIGUOUS: perhaps executed. The other states are final."""

    INTENT = "intent"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class FrozenRecord(Row):
    """A record whose number, date and applications must not change, because its write is planned or in progress."""

    kind: str
    shopify_id: str
    natural_key: str
    order_id: str | None = None
    payload: str


class PlannedWrite(FrozenRecord):
    """A write for the journal.

    Attributes:
        payload: the whole record; for `delete`, the posted record.
        verb: create, update, adopt or delete.
        checksum: the checksum of the record's content.
        xero_id: the record to change; for `delete`, the record to delete.
    """

    order_name: str | None = None
    partition: date
    run_id: str
    verb: str
    checksum: str
    xero_id: str | None = None


class Operation(PlannedWrite):
    """A write in the journal.

    Attributes:
        outcome: created, updated, adopted or deleted, once the write is confirmed.
        reason: why the write is not confirmed.
    """

    id: int
    state: OperationState
    outcome: str | None = None
    reason: str = ""
    retryable: bool = False
    batch_id: int | None = None
    attempts: int = 0
    correlation_id: str | None = None
    created_at: datetime
    updated_at: datetime


class BatchRequest(Row):
    """A request, stored before it is sent. Its route, exact bytes and Idempotency-Key never change."""

    kind: str
    method: str
    path: str
    body: bytes
    idempotency_key: str


LEASE = timedelta(seconds=45)
"""Time for which a batch belongs to its owner: one attempt of 30 s and its settlement."""

LONGEST_LEASE = LEASE + timedelta(seconds=120)
"""A renewed lease includes the pause before the next attempt, at most the 120 s of the replay horizon."""


class Batch(BatchRequest):
    """A request in the journal.

    Attributes:
        first_sent_at: the time of the mark SENT, by our clock, committed before the first byte leaves; for people.
        not_before: the approximate time of the read-back, by our clock; for people and for the start of runs.
        fence: the number of processes that have owned the batch; only the last of them may change it.
        lease_until: the end of the owner's exclusive use, by our clock.
        xero_sent_at: an upper bound of the time of the mark SENT, by Xero's clock; None if unknown.
        xero_quiet_at: the end of the quiet time, by Xero's clock.
        xero_settled_at: the time when the outcome was known, by Xero's clock.
    """

    id: int
    body_hash: str
    state: BatchState
    first_sent_at: datetime | None = None
    not_before: datetime | None = None
    http_status: int | None = None
    owner: str = ""
    fence: int = 0
    lease_until: datetime | None = None
    xero_sent_at: datetime | None = None
    xero_quiet_at: datetime | None = None
    xero_settled_at: datetime | None = None

    def is_leased(self, now: datetime) -> bool:
        """Return whether the batch is leased. A lease with an end too far ahead predates a set-back of our clock."""
        return self.lease_until is not None and now <= self.lease_until <= now + LONGEST_LEASE


class Evidence(Row):
    """The result of a look-up in Xero: why a record was adopted, planned again or set to needs review. Never changed.

    Attributes:
        looked_up_at: the time of the look-up, by our clock.
        xero_looked_up_at: the same by Xero's clock; None for a look-up in the mirror.
    """

    operation_id: int
    batch_id: int | None = None
    natural_key: str
    looked_up_at: datetime
    how: str
    hits: int
    fingerprint: str
    xero_looked_up_at: datetime | None = None


class OperationOutcome(Row):
    """The outcome of one operation.

    Attributes:
        expected_state: the state and the batch of the operation as read; if they have changed, the outcome is ignored.
        mapped: the mapping row, written in the same transaction.
        mirrored: the mirror row, written in the same transaction.
        removed: whether the record was deleted in Xero, so that its mapping and mirror rows are deleted.
    """

    operation_id: int
    expected_state: tuple[OperationState, int | None]
    state: OperationState
    outcome: str | None = None
    reason: str = ""
    retryable: bool = False
    correlation_id: str | None = None
    mapped: MappedRecord | None = None
    mirrored: MirrorRecord | None = None
    removed: bool = False
    evidence: Evidence | None = None
