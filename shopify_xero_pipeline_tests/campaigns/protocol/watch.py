"""What must hold at the instant a write leaves, seen through a second connection to the store.

It knows the protocol's promises and its three times by itself and takes nothing from the code it watches. The promises
are numbered as in the design: I4 a key stands for one body, I5 no write without a durable SENT, I6 no byte after R, I7
nothing is planned again before Q or without evidence.
"""

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from shopify_xero_pipeline_tests.campaigns.protocol.organisation import Call

REPLAY_HORIZON = 120
QUIESCENCE = 600
NOT_EXECUTED = (401, 403, 404, 413, 429)


@dataclass
class Sent:
    """A request that has left at least once; when it was first about to, in true time."""

    call: Call
    batch_id: int
    first_sent_at: datetime
    doubtful: bool = False
    answered: bool = False
    times: int = 0


@dataclass
class Watch:
    """Watches the writes of all processes before one store.

    Attributes:
        horizon: R, in seconds.
        quiescence: Q, in seconds.
        problems: what was broken, in words.
    """

    path: Path
    horizon: float = REPLAY_HORIZON
    quiescence: float = QUIESCENCE
    problems: list[str] = field(default_factory=list)
    by_key: dict[str, Sent] = field(default_factory=dict)
    _last_of: dict[int, Sent] = field(default_factory=dict)
    _journal: sqlite3.Connection | None = None
    _left: sqlite3.Connection | None = None

    def leaves(self, call: Call, now: datetime) -> Sent | None:
        """Look at a write whose first byte is about to leave, at a true instant, whatever its sender believes.

        Xero's clock is true, so what the journal says by it can be held against that instant.
        """
        columns = "id, state, first_sent_at, body_hash, method, path, xero_sent_at"
        row = self._row(f"SELECT {columns} FROM batch WHERE idempotency_key = ?", call.key)
        if row is None or row[1] == "intent" or row[2] is None:
            self.problems.append(f"I5: {call.method} {call.path} left without a durable SENT")
            return None
        known = self.by_key.get(call.key)
        first = known.first_sent_at if known else datetime.fromisoformat(row[6]) if row[6] else now
        if now > first + timedelta(seconds=self.horizon):
            self.problems.append(f"I6: batch {row[0]} left {(now - first).total_seconds():.0f} s after its first byte")
        if row[3] != sha256(call.body).hexdigest() or row[4] != call.method or call.path not in f"/api.xro/2.0{row[5]}":
            self.problems.append(f"I4: batch {row[0]} is not what was frozen")
        sent = self.by_key.setdefault(call.key, Sent(call, row[0], first))
        if (sent.call.body, sent.call.method, sent.call.path) != (call.body, call.method, call.path):
            self.problems.append(f"I4: one key for two requests, batch {row[0]}")
        for (operation_id,) in self._rows("SELECT id FROM operation WHERE batch_id = ? AND state = 'in_batch'", row[0]):
            self._planned_again_rightly(operation_id, sent)
        return sent

    def read_back(self) -> int:
        """Return of how many confirmed writes something was looked up."""
        query = (
            "SELECT count(DISTINCT operation_id) FROM evidence e JOIN operation o ON o.id = e.operation_id "
            "WHERE o.state = 'confirmed'"
        )
        (count,) = self._row(query) or (0,)
        return int(count)

    def close(self) -> None:
        """Close the connection."""
        if self._journal is not None:
            self._journal.close()
        self._journal = None

    def leave(self) -> None:
        """Leave the connection open and unused; the store at the path is opened with the next write."""
        self._left, self._journal = self._journal, None

    def _planned_again_rightly(self, operation_id: int, sent: Sent) -> None:
        before = self._last_of.get(operation_id)
        self._last_of[operation_id] = sent
        if before is None or before is sent or not (before.doubtful or before.answered):
            return
        query = "SELECT max(xero_looked_up_at) FROM evidence WHERE operation_id = ? AND batch_id = ?"
        (looked,) = self._row(query, operation_id, before.batch_id) or (None,)
        if looked is None:
            self.problems.append(f"I7: batch {before.batch_id} in doubt, its record sent again without evidence")
        elif not before.answered:
            early = before.first_sent_at + timedelta(seconds=self.quiescence) - datetime.fromisoformat(looked)
            if early > timedelta():
                self.problems.append(f"I7: batch {before.batch_id} read back {early.total_seconds():.0f} s before Q")

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        return next(iter(self._rows(query, *values)), None)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if self._journal is None:
            self._journal = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        return self._journal.execute(query, values).fetchall()
