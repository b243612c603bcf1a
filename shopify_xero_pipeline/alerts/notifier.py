"""What has been told to whom: each channel is told of a cause once, and once that it is over.

Only the reckoning belongs here; it is kept as one text, and who keeps it and who sends is handed in. Channels do not
know of each other: a channel that was down when a cause rose learns of it when it is back, if it still lasts, and hears
of an end only if it heard of the beginning. A cause is over when it has been gone for a while, so that one that comes
and goes is one cause.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shopify_xero_pipeline.alerts.channels import Channel, DeliveryFailedError, Message
from shopify_xero_pipeline.alerts.rules import Alert, Severity
from shopify_xero_pipeline.observability import events

FORMER_NAMES = {"cause": "alert", "told_at": "notified_at", "what": "summary", "where": "location", "do": "action"}
"""Names of fields in states that version 0.1 stored; read for one release."""

RESOLVED_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class SentNotification:
    """A cause that a channel was told of: when, and since when it is gone, if it is. Instants in UTC."""

    alert: Alert
    notified_at: datetime
    gone_at: datetime | None = None


class NotificationState:
    """What each channel knows, by the name of the channel and the key of the cause."""

    def __init__(self, known: Mapping[str, Mapping[str, SentNotification]] | None = None) -> None:
        self._known = {channel: dict(entries) for channel, entries in (known or {}).items()}

    @classmethod
    def load(cls, text: str | None) -> "NotificationState":
        """Read what was kept; of a text that cannot be read nothing is known, and present causes are told again."""
        try:
            kept: dict[str, dict[str, Any]] = json.loads(text or "{}")
            return cls({channel: {key: _entry(one) for key, one in kept[channel].items()} for channel in kept})
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def dump(self) -> str:
        """Return what is to be kept."""
        kept = {channel: {key: asdict(one) for key, one in known.items()} for channel, known in self._known.items()}
        return json.dumps(kept, default=str, sort_keys=True)

    def notify(
        self,
        causes: Sequence[Alert],
        channels: Iterable[Channel],
        now: datetime,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> "NotificationState":
        """Tell each channel what it does not know yet; return what is known afterwards.

        Args:
            causes: the present ones.
            channels: where to tell; what others were told is forgotten.
            now: the present instant in UTC.
            may_go_on: asked before each message; what is not sent now is sent by the next call.
        """
        known = {}
        for channel in channels:
            entries = _looked_at(self._known.get(channel.name, {}), causes, now)
            known[channel.name] = _brought_up_to_date(channel, entries, causes, now, may_go_on)
        return NotificationState(known)


def _looked_at(
    entries: Mapping[str, SentNotification], causes: Sequence[Alert], now: datetime
) -> dict[str, SentNotification]:
    """Note of each cause a channel was told of since when it is gone, or that it is not."""
    present = {cause.key for cause in causes}
    return {
        key: replace(entry, gone_at=None if key in present else entry.gone_at or now) for key, entry in entries.items()
    }


def _brought_up_to_date(
    channel: Channel,
    entries: dict[str, SentNotification],
    causes: Sequence[Alert],
    now: datetime,
    may_go_on: Callable[[], bool],
) -> dict[str, SentNotification]:
    """Send what a channel does not know; a channel that fails is left alone until the next time."""
    rising = [cause for cause in causes if cause.key not in entries]
    over = [entry for entry in entries.values() if entry.gone_at is not None and now - entry.gone_at >= RESOLVED_AFTER]
    messages = [Message(cause, now) for cause in rising]
    messages += [Message(entry.alert, entry.gone_at or now, is_resolved=True) for entry in over]
    for message in messages:
        if not may_go_on() or not _sent(channel, message):
            break
        if message.is_resolved:
            del entries[message.alert.key]
        else:
            entries[message.alert.key] = SentNotification(message.alert, now)
    return entries


def _sent(channel: Channel, message: Message) -> bool:
    key, name = message.alert.key, channel.name
    try:
        channel.send(message)
    except DeliveryFailedError as error:
        events.log_event("alert_not_delivered", level=logging.WARNING, channel=name, cause=key, reason=str(error))
        return False
    events.log_event(
        "alert_over" if message.is_resolved else "alert_raised",
        channel=name,
        cause=key,
        severity=message.alert.severity.value,
    )
    return True


def _entry(kept: Mapping[str, Any]) -> SentNotification:
    entry = {FORMER_NAMES.get(name, name): value for name, value in kept.items()}
    alert = {FORMER_NAMES.get(name, name): value for name, value in entry["alert"].items()}
    resolved = entry["gone_at"]
    return SentNotification(
        Alert(**{**alert, "severity": Severity(alert["severity"])}),
        datetime.fromisoformat(entry["notified_at"]),
        resolved and datetime.fromisoformat(resolved),
    )
