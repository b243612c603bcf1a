"""Rows of the state store as the rooms see them. Only shapes belong here; tables stand in `tables.py`.

Kinds are text (`contact`, `item`, `invoice`, `credit_note`, `payment`, `allocation`), payloads are canonical JSON text
with exact decimals, instants are UTC, days are shop-local.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """Base of all rows: frozen. What does not fit is never quoted: it may be a customer's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class MappedRecord(Row):
    """A record that is in Xero, and the Xero id it got. `payload` is the record's content as posted."""

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
    """A record as Xero last showed it, whoever made it. `payload` is Xero's own element."""

    kind: str
    xero_id: str
    natural_key: str
    reference: str
    status: str
    updated_at: datetime
    payload: str


class SyncError(Row):
    """A record that could not be written, with what is needed to understand and retry it."""

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
    """That no order of the books wants the records of an order in Xero; `cause` as `reconciliation/orphans.py` says.

    Attributes:
        partition: the day under which the order is listed.
        detail: of the cause, such as why a posted order is skipped now; may be empty.
        noted_at: when this cause was found first.
        looked_up_at: when Shopify was asked last.
    """

    order_id: str
    partition: date
    cause: str
    detail: str = ""
    noted_at: datetime
    looked_up_at: datetime


class KeptRecord(Row):
    """A person's decision that a record without an order stays in Xero as it is."""

    xero_id: str
    kind: str
    natural_key: str
    order_id: str
    because: str
    decided_at: datetime


class HistoryRow(Row):
    """What one load did for one kind on one day. `calls` and `duration_ms` are those of the whole load."""

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
    """Where one record's write stands. The first four are open: it is still to go to Xero, or may be there."""

    PLANNED = "planned"
    IN_BATCH = "in_batch"
    NEEDS_CHECK = "needs_check"
    NEEDS_REVIEW = "needs_review"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


OPEN = (OperationState.PLANNED, OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)


UNANSWERED = "unanswered"
"""Outcome of a rejected operation that Xero could not answer; planned again, it goes on counting its attempts."""


class BatchState(StrEnum):
    """Where a request stands. INTENT: no byte has left. SENT, AMBIGUOUS: perhaps executed. The others are over."""

    INTENT = "intent"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class FrozenRecord(Row):
    """A record whose number, date and placement must stay, because its write is planned or under way."""

    kind: str
    shopify_id: str
    natural_key: str
    order_id: str | None = None
    payload: str


class PlannedWrite(FrozenRecord):
    """A write to journal. `verb` create, update, adopt or delete; `payload` the whole record, `checksum` its content's.

    With `delete` the record is what was posted, and `xero_id` what is to go.
    """

    order_name: str | None = None
    partition: date
    run_id: str
    verb: str
    checksum: str
    xero_id: str | None = None


class Operation(PlannedWrite):
    """A journalled write. `outcome` created, updated, adopted or deleted once confirmed; `reason` why it is not."""

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
    """One request as frozen before anything is sent: route, exact bytes and Idempotency-Key never change afterwards."""

    kind: str
    method: str
    path: str
    body: bytes
    idempotency_key: str


LEASE = timedelta(seconds=45)
"""How long a batch is left to its owner: one attempt of 30 s and what it takes to settle it."""

LONGEST_LEASE = LEASE + timedelta(seconds=120)
"""A lease is kept on by the pause before another attempt, which is never longer than the time for all of them."""


class Batch(BatchRequest):
    """A journalled request. `first_sent_at` is committed before the first byte.

    Until `lease_until` it is its owner's alone; `fence` counts who took it, and only the last one may go on with it.

    Attributes:
        first_sent_at: when it was marked SENT, by our clock; for people.
        not_before: about when it can be read back, by our clock; for people, and for whoever decides to start a run.
        xero_sent_at: when it was marked SENT, by Xero's clock, at the latest; None where that was not known.
        xero_quiet_at: from when on nothing of it can be under way any more, by Xero's clock.
        xero_settled_at: when its outcome was known, by Xero's clock.
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
        """Tell whether it is its owner's alone; a lease that ends too late was taken before our clock was put back."""
        return self.lease_until is not None and now <= self.lease_until <= now + LONGEST_LEASE


class Evidence(Row):
    """What a look-up in Xero found: why a record was adopted, planned again or put up for review. Never changed.

    `looked_up_at` is by our clock, `xero_looked_up_at` by Xero's; None where the mirror was looked at.
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
    """What became of one operation. `mapped` and `mirrored` are written with it, in one transaction.

    `found` is the state and the batch in which the operation was read; `removed`: the record was taken back, so that
    its mapping and mirror rows go.
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
