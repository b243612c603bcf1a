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

from shopify_xero_pipeline.alerts.channels import Channel, Message, NotDelivered
from shopify_xero_pipeline.alerts.rules import Cause, Severity
from shopify_xero_pipeline.observability import events

GONE_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Entry:
    """A cause that a channel was told of: when, and since when it is gone, if it is. Instants in UTC."""

    cause: Cause
    told_at: datetime
    gone_at: datetime | None = None


class Told:
    """What each channel knows, by the name of the channel and the key of the cause."""

    def __init__(self, known: Mapping[str, Mapping[str, Entry]] | None = None) -> None:
        self._known = {channel: dict(entries) for channel, entries in (known or {}).items()}

    @classmethod
    def read(cls, text: str | None) -> "Told":
        """Read what was kept; of a text that cannot be read nothing is known, and present causes are told again."""
        try:
            kept: dict[str, dict[str, Any]] = json.loads(text or "{}")
            return cls({channel: {key: _entry(one) for key, one in kept[channel].items()} for channel in kept})
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def text(self) -> str:
        """Return what is to be kept."""
        kept = {channel: {key: asdict(one) for key, one in known.items()} for channel, known in self._known.items()}
        return json.dumps(kept, default=str, sort_keys=True)

    def tell(
        self,
        causes: Sequence[Cause],
        channels: Iterable[Channel],
        now: datetime,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> "Told":
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
        return Told(known)


def _looked_at(entries: Mapping[str, Entry], causes: Sequence[Cause], now: datetime) -> dict[str, Entry]:
    """Note of each cause a channel was told of since when it is gone, or that it is not."""
    present = {cause.key for cause in causes}
    return {
        key: replace(entry, gone_at=None if key in present else entry.gone_at or now) for key, entry in entries.items()
    }


def _brought_up_to_date(
    channel: Channel, entries: dict[str, Entry], causes: Sequence[Cause], now: datetime, may_go_on: Callable[[], bool]
) -> dict[str, Entry]:
    """Send what a channel does not know; a channel that fails is left alone until the next time."""
    rising = [cause for cause in causes if cause.key not in entries]
    over = [entry for entry in entries.values() if entry.gone_at is not None and now - entry.gone_at >= GONE_FOR]
    messages = [Message(cause, now) for cause in rising]
    messages += [Message(entry.cause, entry.gone_at or now, over=True) for entry in over]
    for message in messages:
        if not may_go_on() or not _sent(channel, message):
            break
        if message.over:
            del entries[message.cause.key]
        else:
            entries[message.cause.key] = Entry(message.cause, now)
    return entries


def _sent(channel: Channel, message: Message) -> bool:
    key, name = message.cause.key, channel.name
    try:
        channel.send(message)
    except NotDelivered as error:
        events.note("alert_not_delivered", level=logging.WARNING, channel=name, cause=key, reason=str(error))
        return False
    events.note(
        "alert_over" if message.over else "alert_raised", channel=name, cause=key, severity=message.cause.severity.value
    )
    return True


def _entry(kept: Mapping[str, Any]) -> Entry:
    cause = Cause(**{**kept["cause"], "severity": Severity(kept["cause"]["severity"])})
    gone = kept["gone_at"]
    return Entry(cause, datetime.fromisoformat(kept["told_at"]), gone and datetime.fromisoformat(gone))
