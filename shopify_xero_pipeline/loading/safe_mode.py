"""Safe mode: nothing is sent while the journal may not know all that was sent before.

A store that is lost, damaged and replaced, or older than it was, would send again what is in Xero already. So it sends
nothing until whatever it does not know of has arrived, and everything is read from Xero once more; what is found there
under our keys is then adopted, by the plan and by the loader, before anything is created. Whether the journal is to be
trusted is judged in `state/send_watermark.py`.
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
    """Looks over the store before anything is sent, and reads Xero back where it must."""

    def __init__(self, client: XeroClient, store: StateStore, clock: Clock) -> None:
        self._client = client
        self._store = store
        self._clock = clock
        self._mirror = Mirror(client, store, clock)

    def quiet_until(self) -> timedelta:
        """Return for how long nothing may be read back yet, as something unknown may still be under way.

        Raises:
            StoreDamagedError: the store does not say what was written to it.
            XeroError: Xero does not answer.
        """
        doubt = self._doubt()
        return timedelta() if doubt is None else self._rest(doubt)

    def reason(self) -> str:
        """Say why nothing may be sent now, and until when; empty if all that was ever sent is known.

        Raises:
            StoreDamagedError: the store does not say what was written to it.
            XeroError: Xero does not answer; the store stays as it was.
        """
        doubt = self._doubt()
        if doubt is None:
            return ""
        if (rest := self._rest(doubt)) > timedelta():
            until = self._clock.now() + rest
            return f"safe mode: of the state store, {doubt.reason}; Xero is read back after {until:%H:%M:%S} UTC"
        events.log_event("safe_mode_reads_xero_back", level=logging.WARNING, reason=doubt.reason)
        for kind in Kind:
            if kind is not Kind.ALLOCATION:
                self._mirror.sweep(kind, anew=True)
        self._store.send_watermark.trust(doubt)
        return self.reason()

    def _rest(self, doubt: TrustIssue) -> timedelta:
        """Return for how long is to be waited by Xero's clock; where no witness knows how long, from now on."""
        now = self._client.ensure_server_time()
        quiet_at = doubt.quiet_at
        if quiet_at is None:
            quiet_at = max(now, self._client.time.latest or now) + QUIESCENCE
            self._store.send_watermark.record_wait(doubt, quiet_at)
        return max(timedelta(), quiet_at - now)

    def _doubt(self) -> TrustIssue | None:
        """Return why the store is not to be trusted; a new one is, where nothing was ever written."""
        self._store.verify()
        doubt = self._store.send_watermark.find_issue()
        if doubt is None or not doubt.new:
            return doubt
        if self._nothing_in_xero():
            self._store.send_watermark.trust(doubt)
        # Another process may have trusted it, and written, while this one asked Xero.
        return self._store.send_watermark.find_issue()

    def _nothing_in_xero(self) -> bool:
        """Tell whether this organisation was never written to: then nothing can be on its way to it either."""
        self._mirror.sweep(Kind.CONTACT)
        return not any(references.is_own_contact_number(row.natural_key) for row in self._store.mirror(Kind.CONTACT))
