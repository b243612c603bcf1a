"""Events of the product: a name in snake case and fields, sent to the log and to watchers from any room.

This module only emits events and adds the fields of the enclosing work (a run, a day); `logs.py` formats, routes and
masks them. Fields are ids, counts and names of this project, never secrets or personal data.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any

from shopify_xero_pipeline.clock import Clock

EVENTS = logging.getLogger("shopify_xero_pipeline")
"""Dagster copies the records of this logger into its event log, which people read beside a run."""

CALLS = logging.getLogger("shopify_xero_calls")
"""API calls have their own logger: there are too many for Dagster's event log, which commits every record."""

Watcher = Callable[[str, Mapping[str, object]], None]
"""Receives the name and the fields of each event; must not raise."""

_watchers: list[Watcher] = []
_context: ContextVar[Mapping[str, object] | None] = ContextVar("context", default=None)


def log_event(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Log an event.

    Args:
        event: its name, in snake case.
        level: a level of the standard library.
        fields: its fields; those of `bind_context` are added.
    """
    _emit(EVENTS, level, event, fields)


@contextmanager
def watch_events(watcher: Watcher) -> Iterator[None]:
    """Pass all events inside the block, and the start of each operation, to a watcher, whatever the log level."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def bind_context(**fields: object) -> Iterator[None]:
    """Add fields, such as `sync_id`, to all events inside the block."""
    token = _context.set({**context(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


@contextmanager
def log_operation(clock: Clock, name: str, entity_type: str, days: Collection[date]) -> Iterator[dict[str, Any]]:
    """Log the end and duration of an operation on days, as `<name>_completed` or `<name>_failed`.

    Watchers also get the start as `<name>_began`; it is not logged.

    Args:
        clock: measures the duration.
        name: the name of the operation, in snake case.
        entity_type: the records of the operation, a field of all events inside the block.
        days: their days, also such a field.

    Yields:
        A dict for the result; its items become fields of `<name>_completed`.
    """
    began, result = clock.elapsed(), dict[str, Any]()
    fields = {"entity_type": str(entity_type), "partition": format_day_range(days)}
    _notify_watchers(f"{name}_began", fields)
    with bind_context(**fields):
        try:
            yield result
        except Exception as error:
            duration = _milliseconds(clock, began)
            failure = {"duration_ms": duration, "error": type(error).__name__, "reason": str(error)}
            log_event(f"{name}_failed", level=logging.ERROR, **failure)
            raise
        log_event(f"{name}_completed", duration_ms=_milliseconds(clock, began), **result)


@contextmanager
def log_api_call(clock: Clock, api: str, method: str, route: str, **fields: object) -> Iterator[dict[str, Any]]:
    """Log one call to an API, with or without a response.

    Args:
        clock: measures the duration.
        api: `shopify`, `xero` or `xero_sign_in`.
        method: the HTTP method.
        route: the path without ids and query.
        fields: further fields of the event.

    Yields:
        A dict with `status` and `fields`; the caller adds the fields of the response.
    """
    began, result = clock.elapsed(), {"status": None, **fields}
    try:
        yield result
    except BaseException as error:
        result["error"] = type(error).__name__
        raise
    finally:
        call = {"api": api, "method": method, "route": route, **result, "duration_ms": _milliseconds(clock, began)}
        _emit(CALLS, logging.INFO, "api_call", call)


def context() -> Mapping[str, object]:
    """Return the fields that are added to each event now."""
    return _context.get() or {}


def format_day_range(days: Collection[date]) -> str:
    """Return days as logs write them: one day as `2026-09-21`, several as `first..last`, none as an empty text.

    Args:
        days: in any order.
    """
    if not days:
        return ""
    first, last = min(days), max(days)
    return str(first) if first == last else f"{first}..{last}"


def _notify_watchers(event: str, fields: Mapping[str, object]) -> None:
    for watcher in _watchers:
        watcher(event, fields)


def _emit(logger: logging.Logger, level: int, event: str, fields: Mapping[str, object]) -> None:
    all_fields = {**context(), **fields}
    _notify_watchers(event, all_fields)
    if logger.isEnabledFor(level):
        texts = (f"{name}={value}" for name, value in all_fields.items() if value is not None and name != "sync_id")
        logger.log(level, "%s", " ".join([event, *texts]), extra={"event": event, "fields": all_fields})


def _milliseconds(clock: Clock, began: float) -> int:
    return round((clock.elapsed() - began) * 1000)
