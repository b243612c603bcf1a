"""The log of every process: one JSON object a line, or a line for people, secrets masked.

Processes that go on until they are ended write it to standard error. A command prints an answer; its log goes to a file
of its own, unless `-v` asks for it beside the answer.

How a line looks, where it goes and what must never stand in it belongs here. What happens is told through `events.py`;
what Dagster itself says of a run becomes lines of the same shape (`defs/dagster_logging.py`). Rooms do not import this
module.
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

PACKAGE_LOGGER = (EVENTS, CALLS)
"""The loggers through which the product speaks; nothing speaks through a child of theirs, which no filter would see."""

REQUIRED_FIELDS = ("sync_id", "entity_type", "partition", "duration_ms")
REDACTED = "…"
LOG_FILES_RETAINED = 50
"""Logs of commands that stay; older ones are deleted."""
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
    """The last defence: what looks like a secret or an e-mail address, or is one of the secrets given, is left out."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) > 3}, key=len, reverse=True)

    def redact_text(self, text: str) -> str:
        """Return a text without what must not be told."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for looks_secret in (_WEBHOOK, _ACCOUNT, _SECRET, _EMAIL):
            text = looks_secret.sub(REDACTED, text)
        return text

    def redact_value(self, value: object) -> object:
        """Return a field's value without what must not be told; numbers stay numbers."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self.redact_text(str(name)): self.redact_value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.redact_value(inner) for inner in value]
        return self.redact_text(str(value))


class RedactingFilter(logging.Filter):
    """Masks a record before any handler sees it, Dagster's event log among them."""

    def __init__(self, mask: Redactor) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place and let it through; a plain message is told with what is around it."""
        record.msg, record.args = self._mask.redact_text(record.getMessage()), ()
        fields = self._mask.redact_value(getattr(record, "fields", None) or context())
        said = None if hasattr(record, "event") else record.msg
        record.__dict__ |= {"fields": fields, "said": said}
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._mask.redact_text("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; `timestamp` in UTC, ISO 8601 with milliseconds."""
        words = getattr(record, "said", None)
        said = {"message": words} if words else {}
        failed = {"exception": record.exc_text} if record.exc_text else {}
        line: dict[str, Any] = {
            "timestamp": _instant(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            **dict.fromkeys(REQUIRED_FIELDS),
            **getattr(record, "fields", {}),
            **said,
            **failed,
        }
        return json.dumps(line, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """A line for people: when, how grave, what, and what of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what stands in a field never begins another one."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        told = [f"{name}={_shown(value)}" for name, value in fields.items() if value is not None]
        what = getattr(record, "said", None) or getattr(record, "event", "")
        line = " ".join([_instant(record)[11:19], f"{record.levelname.lower():<8}", _one_line(str(what)), *told])
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


class _File(logging.FileHandler):
    """Writes to a file that is made with the first line; a disk that does not take it never disturbs the command."""

    def __init__(self, path: Path) -> None:
        # Dagster configures logging anew for each run, which closes every handler; only one that appends opens again.
        super().__init__(path, mode="a", encoding="utf-8", delay=True)
        self.path = path
        self.begun = False
        self.lost = ""

    def _open(self) -> TextIOWrapper:
        if not self.begun:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for old in sorted(self.path.parent.glob("*.log"))[: 1 - LOG_FILES_RETAINED]:
                old.unlink(missing_ok=True)
        self.begun = True
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless one could not be written before."""
        if not self.lost:
            try:
                super().emit(record)
            except OSError as problem:
                self.lost = _why(problem)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the standard library's name
        """Remember that the log is not whole."""
        self.lost = _why(sys.exc_info()[1])

    def close(self) -> None:
        """Close the file, to which what a full disk did not take is written once more in vain."""
        try:
            super().close()
        except OSError as problem:
            self.lost = self.lost or _why(problem)


def _why(problem: BaseException | None) -> str:
    return getattr(problem, "strerror", None) or str(problem or "it cannot be written")


class CommandLog:
    """The log of one command.

    Args:
        settings: `LOG_FOLDER`, `LOG_FORMAT`, `LOG_LEVEL` and the secrets to mask.
        command: its name.
        now: the present instant, which names the file.
    """

    def __init__(self, settings: Settings, command: str, now: datetime) -> None:
        self._settings = settings
        self._level = settings.log_level or "INFO"
        self._file = _File(settings.log_folder / f"{now:%Y%m%dT%H%M%S}-{command}-{os.getpid()}.log")
        self._end = _begin(self._settings, _formatted(self._file, settings, self._level, for_people=False))

    def show(self) -> None:
        """Write the log to standard error from now on."""
        self._end()
        self._end = _begin(self._settings, line_handler(self._settings, self._level))

    def end(self) -> None:
        """Write no more."""
        self._end()
        self._file.close()

    @property
    def named(self) -> str:
        """Where the log is, in a sentence; empty if nothing was logged to a file."""
        if self._file.lost:
            return f"Its log could not be written to {self._file.path} ({self._file.lost}): run it with -v to see it."
        return f"Its log is {self._file.path}" if self._file.begun else ""


def configure_logging(settings: Settings) -> Callable[[], None]:
    """Let this process write its log to standard error; return what ends that.

    Args:
        settings: `LOG_FORMAT`, `LOG_LEVEL` and the secrets to mask.
    """
    return _begin(settings, line_handler(settings, settings.log_level or "INFO"))


def _begin(settings: Settings, handler: logging.Handler) -> Callable[[], None]:
    masking = RedactingFilter(Redactor(settings.secrets()))
    before = [(logger, logger.level) for logger in PACKAGE_LOGGER]
    for logger in PACKAGE_LOGGER:
        logger.addFilter(masking)
        logger.setLevel(handler.level)
        logger.addHandler(handler)

    def end() -> None:
        for logger, known in before:
            logger.removeFilter(masking)
            logger.setLevel(known)
            logger.removeHandler(handler)

    return end


_for_good: Callable[[], None] | None = None


def configure_process_logging(settings: Settings) -> None:
    """Let a process of Dagster's write the log for as long as it lives; said again, the last settings count."""
    global _for_good
    if _for_good is not None:
        _for_good()
    _for_good = configure_logging(settings)


def line_handler(settings: Settings, level: str | int) -> logging.Handler:
    """Return a handler that writes lines as the settings say: by default for people on a terminal, else JSON."""
    return _formatted(_StandardError(), settings, level, for_people=sys.stderr.isatty())


def _formatted(handler: logging.Handler, settings: Settings, level: str | int, *, for_people: bool) -> logging.Handler:
    """Set a handler's level and its format: as LOG_FORMAT says, else for people or JSON."""
    handler.setLevel(level)
    text = settings.log_format == "text" or (not settings.log_format and for_people)
    handler.setFormatter(TextLines() if text else JsonLines())
    return handler


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = _one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return json.dumps(text, ensure_ascii=False) if " " in text else text


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
