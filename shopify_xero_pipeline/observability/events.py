"""What happens, told to the log and to whoever watches as events: a name in snake case and fields, from any room.

Only telling belongs here, and what a stretch of work (a run, a day) says of everything that happens in it. How a line
looks, where it goes and what is masked in it stands in `logs.py`. Fields are ids, counts and names of ours; nothing
secret and nothing of a customer's.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any

from shopify_xero_pipeline.clock import Clock

EVENTS = logging.getLogger("shopify_xero_pipeline")
"""Dagster copies what this logger says into its event log, where people read a run."""

CALLS = logging.getLogger("shopify_xero_calls")
"""API calls stand beside it: there are too many of them for an event log that commits every line."""

Watcher = Callable[[str, Mapping[str, object]], None]
"""Gets the name of each event and its fields; it must not raise."""

_watchers: list[Watcher] = []
_around: ContextVar[Mapping[str, object] | None] = ContextVar("around", default=None)


def log_event(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Tell that something happened.

    Args:
        event: its name, in snake case.
        level: of the standard library's.
        fields: what can be said of it; those of the work around it (`about`) are added.
    """
    _tell(EVENTS, level, event, fields)


@contextmanager
def watch_events(watcher: Watcher) -> Iterator[None]:
    """Show a watcher everything that happens within, and when work begins, whatever the log leaves out."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def bind_context(**fields: object) -> Iterator[None]:
    """Say of everything that happens within what it is about, such as `sync_id`."""
    token = _around.set({**context(), **fields})
    try:
        yield
    finally:
        _around.reset(token)


@contextmanager
def log_operation(clock: Clock, name: str, **fields: object) -> Iterator[dict[str, Any]]:
    """Tell how a piece of work ended and how long it took, as `<name>_completed` or `<name>_failed`.

    Yields fields to which what came of it is added; `fields` are also said of everything that happens within. That it
    begins is shown to watchers as `<name>_began`, and not logged.
    """
    began, found = clock.elapsed(), dict[str, Any]()
    _show(f"{name}_began", fields)
    with bind_context(**fields):
        try:
            yield found
        except Exception as error:
            took = _milliseconds(clock, began)
            said = {"duration_ms": took, "error": type(error).__name__, "reason": str(error)}
            log_event(f"{name}_failed", level=logging.ERROR, **said)
            raise
        log_event(f"{name}_completed", duration_ms=_milliseconds(clock, began), **found)


@contextmanager
def log_api_call(clock: Clock, api: str, method: str, route: str, **fields: object) -> Iterator[dict[str, Any]]:
    """Tell of one call to an API, answered or not.

    Args:
        clock: tells how long it took.
        api: `shopify`, `xero` or `xero_sign_in`.
        method: HTTP's.
        route: the path without ids and without its query.
        fields: what else is known before; yields those to which the answer's are added.
    """
    began, found = clock.elapsed(), {"status": None, **fields}
    try:
        yield found
    except BaseException as error:
        found["error"] = type(error).__name__
        raise
    finally:
        took = _milliseconds(clock, began)
        _tell(
            CALLS,
            logging.INFO,
            "api_call",
            {"api": api, "method": method, "route": route, **found, "duration_ms": took},
        )


def context() -> Mapping[str, object]:
    """Return what is said of everything that happens now."""
    return _around.get() or {}


def format_day_range(days: Collection[date]) -> str:
    """Return days as the log names them: one day, or the first and the last."""
    if not days:
        return ""
    first, last = min(days), max(days)
    return str(first) if first == last else f"{first}..{last}"


def _show(event: str, fields: Mapping[str, object]) -> None:
    for watcher in _watchers:
        watcher(event, fields)


def _tell(logger: logging.Logger, level: int, event: str, fields: Mapping[str, object]) -> None:
    found = {**context(), **fields}
    _show(event, found)
    if logger.isEnabledFor(level):
        shown = (f"{name}={value}" for name, value in found.items() if value is not None and name != "sync_id")
        words = " ".join([event, *shown])
        logger.log(level, "%s", words, extra={"event": event, "fields": found})


def _milliseconds(clock: Clock, began: float) -> int:
    return round((clock.elapsed() - began) * 1000)
