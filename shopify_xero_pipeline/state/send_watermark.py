"""Send watermark, which shows whether the journal contains all requests sent before.

A journal that is older than its watermark file is a restored copy. A journal that its watermark file does not name has
replaced another one. Such a journal has a trust issue, and nothing may be sent while it has one. The watermark file may
also contain the end of the quiet time by Xero's clock. This module only compares; `loading/safe_mode.py` decides how
long to wait and what to read back.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, bindparam, delete, func, select

from shopify_xero_pipeline.state.database_errors import StoreReplacedError
from shopify_xero_pipeline.state.records import Batch
from shopify_xero_pipeline.state.row_checksums import put_rows
from shopify_xero_pipeline.state.tables import batch, meta
from shopify_xero_pipeline.state.watermark_file import WatermarkClaim, WatermarkFile

EPOCH, TRUSTED, ANSWERED, DOUBT = "epoch", "trusted epoch", "answered claims", "doubt"
"""Names in the table `meta`: the journal's random name, the last name trusted, claims read back, the trust issue."""

MISSING = "missing"
NEW = "it is new"
RESTORED = "it is older than the last request sent: a copy was restored"
REPLACED = "it replaced another store, which may have sent requests"
LOST = "its watermark file is missing or damaged"
UNSURE = "it has no record that earlier requests were read back"

META = select(meta)
SENT_AT = select(batch.c.first_sent_at).where(batch.c.id == bindparam("id"))


@dataclass(frozen=True)
class TrustIssue:
    """The reason why a journal is not trusted.

    Attributes:
        reason: the reason in words, as a clause about the store.
        quiet_at: the end of the quiet time of all requests unknown to the journal, by Xero's clock; None if unknown.
        new: whether the journal was just created and no watermark file names an earlier one.
        claims: the lines of the watermark files at the time of the issue.
    """

    reason: str
    quiet_at: datetime | None
    new: bool = False
    claims: tuple[str, ...] = ()


class SendWatermark:
    """The send watermark of one journal.

    Args:
        engine: the engine of the journal's database.
        file: the watermark file.
        needed: whether a trusted journal must have a watermark file; a journal on a database server need not.
    """

    def __init__(self, engine: Engine, file: WatermarkFile, *, needed: bool) -> None:
        self._engine = engine
        self._file = file
        self._needed = needed
        with engine.begin() as connection:
            if EPOCH not in _read_values(connection):
                _write_value(connection, EPOCH, secrets.token_hex(16))
                _write_value(connection, DOUBT, _dump_issue(TrustIssue(NEW, None, new=True)))

    def record_send(self, mark_sent: Callable[[], Batch]) -> Batch:
        """Mark a batch SENT and write it to the watermark file, before its first byte leaves; return the batch.

        The lock of the file includes the mark, so that the file names the batch that this host marked last: a copy of
        the journal that has this batch has every batch that was sent before.

        Args:
            mark_sent: marks the batch SENT in the journal.

        Raises:
            JournalOrderError: the batch was sent before, or another process has taken it over.
            StoreReplacedError: another journal replaced this one.
            StoreBusyError: another process does not release the lock of the watermark file.
            StoreUnwritableError: the watermark file cannot be written.
        """
        with self._file.lock():
            earlier = self._file.own()
            with self._engine.begin() as connection:
                values = _read_values(connection)
                if earlier is not None and not _is_known(connection, values, earlier):
                    raise StoreReplacedError
            marked = mark_sent()
            claim = WatermarkClaim.of(values.get(EPOCH, ""), marked.id, marked.first_sent_at, marked.xero_quiet_at)
            self._file.write(claim if earlier is None else claim.after(earlier))
            return marked

    def find_issue(self) -> TrustIssue | None:
        """Return the trust issue of the journal, or None. A new issue is stored until a call of `trust`."""
        claims, own = self._file.claims(), self._file.own()
        with self._engine.begin() as connection:
            values = _read_values(connection)
            issue = _parse_issue(values.get(DOUBT))
            is_trusted = values.get(TRUSTED) == values.get(EPOCH) and DOUBT not in values
            judged = issue.claims if issue is not None else ()
            unknown = [
                claim for claim in claims if claim.text not in judged and not _is_known(connection, values, claim)
            ]
            if self._needed and own is None and TRUSTED in values:
                unknown.append(WatermarkClaim.parse(MISSING))
            if is_trusted and not unknown:
                return None
            if issue is None or unknown:
                issue = _build_issue(issue, unknown, values.get(EPOCH), claims)
                _write_value(connection, DOUBT, _dump_issue(issue))
                connection.execute(delete(meta).where(meta.c.name == TRUSTED))
            return issue

    def record_wait(self, issue: TrustIssue, quiet_at: datetime) -> TrustIssue:
        """Store the end of the quiet time of an issue, by Xero's clock; return the issue with it."""
        updated = replace(issue, quiet_at=quiet_at)
        with self._engine.begin() as connection:
            if _parse_issue(_read_values(connection).get(DOUBT)) == issue:
                _write_value(connection, DOUBT, _dump_issue(updated))
        return updated

    def trust(self, issue: TrustIssue) -> None:
        """Clear a trust issue, after everything sent before it was read back.

        Raises:
            StoreBusyError: another process does not release the lock of the watermark file.
            StoreUnwritableError: the watermark file cannot be written.
        """
        with self._file.lock():
            own = self._file.own()
            with self._engine.begin() as connection:
                values, last = _read_values(connection), _last_sent(connection)
                is_last = own is not None and own.batch > 0 and _is_in_journal(connection, values, own)
            if not is_last:
                self._file.write(WatermarkClaim.of(values[EPOCH], *(last or (0, None, None))))
            with self._engine.begin() as connection:
                if _parse_issue(_read_values(connection).get(DOUBT)) == issue:
                    _write_value(connection, ANSWERED, "\n".join(issue.claims))
                    _write_value(connection, TRUSTED, values[EPOCH])
                    connection.execute(delete(meta).where(meta.c.name == DOUBT))


def _build_issue(
    earlier: TrustIssue | None, unknown: Sequence[WatermarkClaim], epoch: str | None, claims: Sequence[WatermarkClaim]
) -> TrustIssue:
    """Return the issue of unknown claims, merged with an earlier issue."""
    times = [claim.quiet_at for claim in unknown] or [None]
    if earlier is not None and not earlier.new:
        times.append(earlier.quiet_at)
    known_times = [at for at in times if at is not None]
    quiet_at = max(known_times) if len(known_times) == len(times) else None
    return TrustIssue(_reason(unknown, epoch), quiet_at, claims=tuple(claim.text for claim in claims))


def _reason(unknown: Sequence[WatermarkClaim], epoch: str | None) -> str:
    epochs = {claim.epoch for claim in unknown}
    if not epochs:
        return UNSURE
    if epochs == {""}:
        return LOST
    return RESTORED if epoch in epochs else REPLACED


def _is_known(connection: Connection, values: Mapping[str, str], claim: WatermarkClaim) -> bool:
    """Return whether the journal contains the batch of a claim, or has read it back."""
    return claim.text in values.get(ANSWERED, "").splitlines() or _is_in_journal(connection, values, claim)


def _is_in_journal(connection: Connection, values: Mapping[str, str], claim: WatermarkClaim) -> bool:
    if claim.epoch != values.get(EPOCH):
        return False
    sent_at = connection.scalar(SENT_AT, {"id": claim.batch})
    return claim.batch == 0 or (sent_at is not None and sent_at == claim.sent_at)


def _last_sent(connection: Connection) -> tuple[int, datetime, datetime | None] | None:
    last = select(func.max(batch.c.id)).where(batch.c.first_sent_at.is_not(None)).scalar_subquery()
    sent = select(batch.c.id, batch.c.first_sent_at, batch.c.xero_quiet_at).where(batch.c.id == last)
    row = connection.execute(sent).first()
    return None if row is None else (row[0], row[1], row[2])


def _read_values(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(META)}


def _write_value(connection: Connection, name: str, value: str) -> None:
    put_rows(connection, meta, [{"name": name, "value": value}])


def _dump_issue(issue: TrustIssue) -> str:
    return json.dumps(asdict(issue) | {"quiet_at": issue.quiet_at and issue.quiet_at.astimezone(UTC).isoformat()})


def _parse_issue(text: str | None) -> TrustIssue | None:
    try:
        fields = json.loads(text or "")
        fields.pop("since", None)  # written by older versions, by our clock
        if "why" in fields:  # what schema 6 called the reason
            fields["reason"] = fields.pop("why")
        at = fields.get("quiet_at")
        return TrustIssue(**fields | {"quiet_at": at and datetime.fromisoformat(at), "claims": tuple(fields["claims"])})
    except (LookupError, TypeError, ValueError):
        return None
