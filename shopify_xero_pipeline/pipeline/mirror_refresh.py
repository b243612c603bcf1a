"""Refreshes of the mirror: before a plan that writes, for a report of a change in Xero, and after a load.

A plan reads Xero only if it would write or if the mirror may be outdated, so that an unchanged day costs no call. This
module only decides when to sweep; `xero/mirror.py` sweeps.
"""

from collections.abc import Sequence
from datetime import timedelta

from shopify_xero_pipeline.clock import is_recent
from shopify_xero_pipeline.pipeline import webhook_hints
from shopify_xero_pipeline.pipeline.connections import FORCE_REFRESH, Connections
from shopify_xero_pipeline.reconciliation.orphans import LISTED
from shopify_xero_pipeline.xero.models import Kind

MAX_AGE = timedelta(minutes=1)
"""Age up to which the plans of one sync share a refresh."""

DRIFT_CHECK_INTERVAL = timedelta(days=1)
"""Longest time without a sweep for changes by people (docs/books.md §11)."""

LAST_WRITE_KEY, LAST_READBACK_KEY = "write.last_batch", "write.last_readback"
WRITE_MARK = "batch "
"""Start of the text of a last write, before the id of its last batch."""


class MirrorRefresh:
    """Refreshes the mirror for the plans and the reconciliations of one run.

    Args:
        connections: the connections of the run.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._refreshed_at: dict[Kind, float] = {}  # seconds of `Clock.elapsed`; the read-back clears it

    def is_due(self, kinds: Sequence[Kind]) -> bool:
        """Return whether a webhook names a change of these kinds, or their last sweep is too old (docs/books.md §11).

        Args:
            kinds: the kinds that a plan reads.
        """
        store, now = self._connections.store, self._connections.clock.now()
        if webhook_hints.changed_in_xero(store, store.hints.open("xero"), kinds):
            return True
        swept = [at for kind in kinds if (at := store.mirror_swept_at(kind)) is not None]
        return not all(is_recent(at, now, DRIFT_CHECK_INTERVAL) for at in swept)

    def refresh(self, kinds: Sequence[Kind]) -> None:
        """Sweep the kinds that no plan of this sync has swept within `MAX_AGE`.

        Args:
            kinds: the kinds that a plan reads.

        Raises:
            XeroError: Xero could not be read.
        """
        now = self._connections.clock.elapsed()
        fresh = {kind for kind, at in self._refreshed_at.items() if now - at < MAX_AGE.total_seconds()}
        outdated = [kind for kind in kinds if kind not in fresh]
        self._connections.mirror.refresh(outdated, FORCE_REFRESH)
        self._refreshed_at |= dict.fromkeys(outdated, now)

    def read_back(self, *, always: bool = False) -> None:
        """Sweep the documents that a load has written or paid since the last read-back, at the end of a sync.

        The response to a Payment has the Payment; only its document shows what is left to pay.

        Args:
            always: sweep documents and Payments after any earlier write, because a person may have voided orphaned
                records in Xero.

        Raises:
            XeroError: Xero could not be read.
        """
        self._refreshed_at.clear()
        store = self._connections.store
        last_write, last_readback = store.get_value(LAST_WRITE_KEY), store.get_value(LAST_READBACK_KEY)
        if last_write is not None and (always or last_readback is None or last_readback[0] != last_write[0]):
            self._connections.organisation()
            kinds = LISTED if always or last_readback is None else self._written_since(last_readback[0])
            self._connections.mirror.refresh(kinds, FORCE_REFRESH)
            store.put_value(LAST_READBACK_KEY, last_write[0])

    def _written_since(self, mark: str) -> list[Kind]:
        """Return the kinds of the documents in the batches after a mark, which is the text of a last write."""
        written = self._connections.store.journal.documents_since(int(mark.removeprefix(WRITE_MARK)))
        return [kind for kind in LISTED if kind in written]
