"""Whether the journal may be trusted to know all that was sent, judged by the witness kept outside it.

A journal that is older than its witness says is a restored copy, one that the witness does not know has taken another's
place: it is doubted, and while it is nothing may be sent. Until when something may be under way, by Xero's clock, is
told with it where a witness knows; how long is waited, and what is read back then, is decided in
`loading/safe_mode.py`.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select

from shopify_xero_pipeline.state.database_errors import StoreReplacedError
from shopify_xero_pipeline.state.records import Batch
from shopify_xero_pipeline.state.tables import batch, meta
from shopify_xero_pipeline.state.watermark_file import WatermarkClaim, WatermarkFile

EPOCH, TRUSTED, ANSWERED, DOUBT = "epoch", "trusted epoch", "answered claims", "doubt"
MISSING = "missing"
NEW = "it is new"
RESTORED = "it is older than what was sent by it: a copy was put in its place"
REPLACED = "it took the place of another one, by which something may have been sent"
LOST = "the file that witnesses what was sent is missing or damaged"
UNSURE = "it does not say that what was sent before is read back"

META = select(meta)
SENT_AT = select(batch.c.first_sent_at).where(batch.c.id == bindparam("id"))


@dataclass(frozen=True)
class TrustIssue:
    """Why a journal is not trusted.

    Attributes:
        why: in words.
        quiet_at: from when on, by Xero's clock, nothing is under way that it does not know of; None if not known yet.
        new: it was just made and no witness knows of another one before it.
        claims: the lines of the witnesses that it was judged by.
    """

    reason: str
    quiet_at: datetime | None
    new: bool = False
    claims: tuple[str, ...] = ()


class SendWatermark:
    """The witness of one journal.

    Args:
        engine: the journal's database.
        file: where the witness is kept.
        needed: whether a journal that is trusted must have a witness; one on a database server of its own need not.
    """

    def __init__(self, engine: Engine, file: WatermarkFile, *, needed: bool) -> None:
        self._engine = engine
        self._file = file
        self._needed = needed
        with engine.begin() as connection:
            said = _said(connection)
            if EPOCH not in said:
                _write(connection, EPOCH, secrets.token_hex(16))
                _write(connection, DOUBT, _text(TrustIssue(NEW, None, new=True)))

    def record_send(self, marked: Batch) -> None:
        """Write down that a batch was marked SENT: called after that commit, and before a byte of it leaves.

        Raises:
            StoreReplacedError: the journal was replaced by another one meanwhile.
            StoreUnwritableError: the witness cannot be written.
        """
        with self._file.alone():
            known = self._file.own()
            with self._engine.begin() as connection:
                said = _said(connection)
                if known is not None and not _is_known(connection, said, known):
                    raise StoreReplacedError
            claim = WatermarkClaim.of(said.get(EPOCH, ""), marked.id, marked.first_sent_at, marked.xero_quiet_at)
            self._file.write(claim if known is None else claim.after(known))

    def find_issue(self) -> TrustIssue | None:
        """Return why the journal is not to be trusted, or None; a new reason to doubt it is kept until `trust`."""
        claims, own = self._file.claims(), self._file.own()
        with self._engine.begin() as connection:
            said = _said(connection)
            held, trusted = _doubt(said.get(DOUBT)), said.get(TRUSTED) == said.get(EPOCH) and DOUBT not in said
            judged = held.claims if held is not None else ()
            strange = [one for one in claims if one.text not in judged and not _is_known(connection, said, one)]
            if self._needed and own is None and TRUSTED in said:
                strange.append(WatermarkClaim.read(MISSING))
            if trusted and not strange:
                return None
            if held is None or strange:
                held = _doubted(held, strange, said.get(EPOCH), claims)
                _write(connection, DOUBT, _text(held))
                connection.execute(delete(meta).where(meta.c.name == TRUSTED))
            return held

    def record_wait(self, doubt: TrustIssue, quiet_at: datetime) -> TrustIssue:
        """Keep from when on, by Xero's clock, nothing unknown is under way; return the doubt that says so."""
        known = replace(doubt, quiet_at=quiet_at)
        with self._engine.begin() as connection:
            if _doubt(_said(connection).get(DOUBT)) == doubt:
                _write(connection, DOUBT, _text(known))
        return known

    def trust(self, doubt: TrustIssue) -> None:
        """Trust the journal again, because all that was sent until the doubt arose is read back.

        Raises:
            StoreUnwritableError: the witness cannot be written.
        """
        with self._file.alone():
            with self._engine.begin() as connection:
                said, last = _said(connection), _last_sent(connection)
            number, at, quiet_at = last if last is not None else (0, None, None)
            self._file.write(WatermarkClaim.of(said[EPOCH], number, at, quiet_at))
            with self._engine.begin() as connection:
                if _doubt(_said(connection).get(DOUBT)) == doubt:
                    _write(connection, ANSWERED, "\n".join(doubt.claims))
                    _write(connection, TRUSTED, said[EPOCH])
                    connection.execute(delete(meta).where(meta.c.name == DOUBT))


def _doubted(
    held: TrustIssue | None, strange: Sequence[WatermarkClaim], epoch: str | None, claims: Sequence[WatermarkClaim]
) -> TrustIssue:
    """Return the doubt that strange claims raise beside one that is held already."""
    times = [one.quiet_at for one in strange] or [None]
    if held is not None and not held.new:
        times.append(held.quiet_at)
    known = [at for at in times if at is not None]
    quiet_at = max(known) if len(known) == len(times) else None
    return TrustIssue(_why(strange, epoch), quiet_at, claims=tuple(one.text for one in claims))


def _why(strange: Sequence[WatermarkClaim], epoch: str | None) -> str:
    epochs = {one.epoch for one in strange}
    if not epochs:
        return UNSURE
    if epochs == {""}:
        return LOST
    return RESTORED if epoch in epochs else REPLACED


def _is_known(connection: Connection, said: dict[str, str], claim: WatermarkClaim) -> bool:
    """Tell whether the journal knows of the sending that a witness claims, or has it read back."""
    if claim.text in said.get(ANSWERED, "").splitlines():
        return True
    if claim.epoch != said.get(EPOCH):
        return False
    found = connection.scalar(SENT_AT, {"id": claim.batch})
    return claim.batch == 0 or (found is not None and found == claim.sent_at)


def _last_sent(connection: Connection) -> tuple[int, datetime, datetime | None] | None:
    last = select(func.max(batch.c.id)).where(batch.c.first_sent_at.is_not(None)).scalar_subquery()
    sent = select(batch.c.id, batch.c.first_sent_at, batch.c.xero_quiet_at).where(batch.c.id == last)
    found = connection.execute(sent).first()
    return None if found is None else (found[0], found[1], found[2])


def _said(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(META)}


def _write(connection: Connection, name: str, value: str) -> None:
    connection.execute(delete(meta).where(meta.c.name == name))
    connection.execute(insert(meta).values(name=name, value=value))


def _text(doubt: TrustIssue) -> str:
    return json.dumps(asdict(doubt) | {"quiet_at": doubt.quiet_at and doubt.quiet_at.astimezone(UTC).isoformat()})


def _doubt(text: str | None) -> TrustIssue | None:
    try:
        held = json.loads(text or "")
        held.pop("since", None)  # an earlier version's, by our clock
        at = held.get("quiet_at")
        return TrustIssue(**held | {"quiet_at": at and datetime.fromisoformat(at), "claims": tuple(held["claims"])})
    except (LookupError, TypeError, ValueError):
        return None
