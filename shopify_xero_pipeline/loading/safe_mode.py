"""Safe mode, in which no write is sent while the journal may be older than the last write.

A lost, replaced or restored store would create records again that Xero already holds. So the loader sends nothing until
the quiet time of unknown requests is over and the mirror is read in full. The plan and the loader then adopt records
with our keys before they create any. `state/send_watermark.py` decides whether the journal is trusted.
"""

import logging
from datetime import timedelta

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.loading.batch_sender import QUIESCENCE
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.state.send_watermark import TrustIssue
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind


class SafeMode:
    """Verifies the store before any write, and reads Xero back if the journal is not trusted."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._mirror = Mirror(client, store, clock)

    def quiet_until(self) -> timedelta:
        """Return the rest of the quiet time, in which an unknown request may still arrive; zero in a trusted store.

        Raises:
            StoreDamagedError: the verification of the store fails.
            XeroError: Xero does not respond.
        """
        issue = self._find_issue()
        return timedelta() if issue is None else self._quiet_time_left(issue)

    def reason(self) -> str:
        """Return why no write may be sent now, and until when; empty in a trusted store.

        After the quiet time, it reads the whole mirror from Xero and trusts the journal again.

        Raises:
            StoreDamagedError: the verification of the store fails.
            XeroError: Xero does not respond; the store is unchanged.
        """
        issue = self._find_issue()
        if issue is None:
            return ""
        if (quiet_time := self._quiet_time_left(issue)) > timedelta():
            until = self._clock.now() + quiet_time
            return f"safe mode: of the state store, {issue.reason}; Xero is read back after {until:%H:%M:%S} UTC"
        events.log_event("safe_mode_reads_xero_back", level=logging.WARNING, reason=issue.reason)
        for kind in Kind:
            if kind is not Kind.ALLOCATION:
                self._mirror.sweep(kind, full=True)
        self._store.send_watermark.trust(issue)
        return self.reason()

    def _quiet_time_left(self, issue: TrustIssue) -> timedelta:
        """Return the rest of the quiet time by Xero's clock; without a send watermark, it starts now."""
        now = self._client.ensure_server_time()
        quiet_at = issue.quiet_at
        if quiet_at is None:
            quiet_at = max(now, self._client.time.latest or now) + QUIESCENCE
            self._store.send_watermark.record_wait(issue, quiet_at)
        return max(timedelta(), quiet_at - now)

    def _find_issue(self) -> TrustIssue | None:
        """Return why the journal is not trusted; a new store is, if Xero has no record of ours."""
        self._store.verify_if_due()
        issue = self._store.send_watermark.find_issue()
        if issue is None or not issue.new:
            return issue
        if self._is_xero_untouched():
            self._store.send_watermark.trust(issue)
        # Another process may have trusted the store and written during the sweep, so the watermark is read again.
        return self._store.send_watermark.find_issue()

    def _is_xero_untouched(self) -> bool:
        """Return whether the organisation has no Contact of ours; then no request can be in flight either."""
        self._mirror.sweep(Kind.CONTACT)
        return not any(references.is_own_contact_number(row.natural_key) for row in self._store.mirror(Kind.CONTACT))
