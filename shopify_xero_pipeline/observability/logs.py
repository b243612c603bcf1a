"""Logs of every process: JSON lines or lines for people, with secrets masked.

Long-running processes log to standard error. A command prints its result, and its log goes to a file of its own, or to
standard error with `-v`.

This module formats, routes and masks records. Rooms do not import it; they log events with `events.py`. Records of
Dagster get the same format in `defs/dagster_logging.py`.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from shopify_xero_pipeline.observability.events import CALLS, EVENTS, context
from shopify_xero_pipeline.settings import Settings

PACKAGE_LOGGERS = (EVENTS, CALLS)
"""The only loggers of the product. Child loggers are not used, because a filter does not apply to their records."""

REQUIRED_FIELDS = ("sync_id", "entity_type", "partition", "duration_ms")
REDACTED = "…"
LOG_FILES_RETAINED = 50
"""Number of log files of commands; older ones are deleted."""
_SECRET = re.compile(
    r"\b(?:sh[a-z]{2,4}_\w{8,}"  # Shopify's tokens and app secrets
    r"|eyJ[\w-]{8,}(?:\.[\w-]+){1,2}"  # JSON web tokens
    r"|gAAAA[\w-]{20,}=*"  # what TOKEN_KEY encrypted
    r"|(?:Bearer|Basic) [\w.~+/=-]{8,}"
    r"|[0-9a-f]{32,}"  # keys in hex; ids are written with dashes
    r"|[\w-]{43}=)",  # keys for TOKEN_KEY
    re.IGNORECASE,
)
_WEBHOOK = re.compile(r"https://hooks\.\S+", re.IGNORECASE)
_ACCOUNT = re.compile(r"(?<=://)[^\s/@]+@")
_EMAIL = re.compile(r"[^\s@<>\"'=:,;()\[\]]+@[^\s@<>\"'=:,;()\[\]]+")


class Redactor:
    """The last line of defence: masks given secrets and everything that looks like a secret or an e-mail address."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first, so that no rest remains of a secret that contains another. Up to 3 characters occur by chance.
        self._secrets = sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True)

    def redact_text(self, text: str) -> str:
        """Return a text with secrets masked."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for pattern in (_WEBHOOK, _ACCOUNT, _SECRET, _EMAIL):
            text = pattern.sub(REDACTED, text)
        return text

    def redact_value(self, value: object) -> object:
        """Return the value of a field with secrets masked; numbers stay numbers."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.redact_text(str(name)): self.redact_value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.redact_value(inner) for inner in value]
        return self.redact_text(str(value))


class RedactingFilter(logging.Filter):
    """Masks a record before any handler gets it, including Dagster's event log."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask a record in place and accept it; a plain message gets the fields of the present context."""
        record.msg, record.args = self._redactor.redact_text(record.getMessage()), ()
        fields = self._redactor.redact_value(getattr(record, "fields", None) or context())
        plain_text = None if hasattr(record, "event") else record.msg
        record.__dict__ |= {"fields": fields, "plain_text": plain_text}
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redactor.redact_text("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


class JsonLines(logging.Formatter):
    """Formatter with one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; `timestamp` is in UTC, ISO 8601 with milliseconds."""
        text = getattr(record, "plain_text", None)
        message = {"message": text} if text else {}
        exception = {"exception": record.exc_text} if record.exc_text else {}
        line: dict[str, Any] = {
            "timestamp": _instant(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            **dict.fromkeys(REQUIRED_FIELDS),
            **getattr(record, "fields", {}),
            **message,
            **exception,
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """Formatter with one line per record for people: time in UTC, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; line breaks in a field are escaped."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        pairs = [f"{name}={_field_text(value)}" for name, value in fields.items() if value is not None]
        text = getattr(record, "plain_text", None) or getattr(record, "event", "")
        line = " ".join([_instant(record)[11:19], f"{record.levelname.lower():<8}", _one_line(str(text)), *pairs])
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class _StandardError(logging.StreamHandler[TextIO]):
    """Handler of the present `sys.stderr`, which may be replaced at any time."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


class _File(logging.FileHandler):
    """Handler of a log file that the first record creates; a failing disk never disturbs the command."""

    def __init__(self, path: Path) -> None:
        # Dagster reconfigures logging for each run and thereby closes every handler; one in append mode opens again.
        super().__init__(path, mode="a", encoding="utf-8", delay=True)
        self.path = path
        self.has_begun = False
        self.failure = ""

    def _open(self) -> TextIOWrapper:
        if not self.has_begun:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for old in sorted(self.path.parent.glob("*.log"))[: 1 - LOG_FILES_RETAINED]:
                old.unlink(missing_ok=True)
        self.has_begun = True
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless an earlier one failed."""
        if not self.failure:
            try:
                super().emit(record)
            except OSError as problem:
                self.failure = _describe(problem)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the standard library's name
        """Record that the log is incomplete."""
        self.failure = _describe(sys.exc_info()[1])

    def close(self) -> None:
        """Close the file; on a full disk this tries in vain to write the buffered rest."""
        try:
            super().close()
        except OSError as problem:
            self.failure = self.failure or _describe(problem)


def _describe(problem: BaseException | None) -> str:
    return getattr(problem, "strerror", None) or str(problem or "it cannot be written")


class CommandLog:
    """The log of one command.

    Args:
        settings: `LOG_FOLDER`, `LOG_FORMAT`, `LOG_LEVEL` and the secrets to mask.
        command: the name of the command.
        now: the present instant in UTC, for the name of the file.
    """

    def __init__(self, settings: Settings, command: str, now: datetime) -> None:
        self._settings = settings
        self._file = _File(settings.log_folder / f"{now:%Y%m%dT%H%M%S}-{command}-{os.getpid()}.log")
        self._stop = _start(settings, _with_format(self._file, settings, for_people=False))

    def show(self) -> None:
        """Log to standard error from now on."""
        self._stop()
        self._stop = configure_logging(self._settings)

    def end(self) -> None:
        """Stop logging and close the file."""
        self._stop()
        self._file.close()

    @property
    def location_sentence(self) -> str:
        """The location of the log, as a sentence; empty if no file was written."""
        if self._file.failure:
            return f"The log could not be written to {self._file.path} ({self._file.failure}): rerun with -v to see it."
        return f"The log is {self._file.path}" if self._file.has_begun else ""


def configure_logging(settings: Settings) -> Callable[[], None]:
    """Log to standard error; return a callable that stops it.

    Args:
        settings: `LOG_FORMAT`, `LOG_LEVEL` and the secrets to mask.
    """
    return _start(settings, line_handler(settings))


def _start(settings: Settings, handler: logging.Handler) -> Callable[[], None]:
    redacting_filter = RedactingFilter(Redactor(settings.secrets()))
    levels = [(logger, logger.level) for logger in PACKAGE_LOGGERS]
    for logger in PACKAGE_LOGGERS:
        logger.addFilter(redacting_filter)
        logger.setLevel(handler.level)
        logger.addHandler(handler)

    def stop() -> None:
        for logger, level in levels:
            logger.removeFilter(redacting_filter)
            logger.setLevel(level)
            logger.removeHandler(handler)

    return stop


_stop_process_logging: Callable[[], None] | None = None


def configure_process_logging(settings: Settings) -> None:
    """Log to standard error for the life of a Dagster process; a further call replaces the settings."""
    global _stop_process_logging
    if _stop_process_logging is not None:
        _stop_process_logging()
    _stop_process_logging = configure_logging(settings)


def line_handler(settings: Settings) -> logging.Handler:
    """Return a handler that writes to standard error, by default text on a terminal and JSON elsewhere.

    Args:
        settings: `LOG_FORMAT` and `LOG_LEVEL`.
    """
    return _with_format(_StandardError(), settings, for_people=sys.stderr.isatty())


def _with_format(handler: logging.Handler, settings: Settings, *, for_people: bool) -> logging.Handler:
    """Set level and format of a handler: LOG_FORMAT, or by default text for people and JSON for programs."""
    handler.setLevel(settings.log_level)
    text = settings.log_format == "text" or (not settings.log_format and for_people)
    handler.setFormatter(TextLines() if text else JsonLines())
    return handler


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _field_text(value: object) -> str:
    text = _one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return json.dumps(text, ensure_ascii=False) if " " in text else text


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
