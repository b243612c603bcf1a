"""Escaping of foreign text for Markdown, Slack, e-mail and a terminal.

Order names, titles, SKUs, gateway names and Xero's reasons are data: they must not become a link, break a row of a
table, leave a code block or inject HTML. Every place that displays such a text calls a function of this module. Layout
is the task of that place.
"""

import re
import unicodedata
from html import escape

from rich.markup import escape as without_markup

JOINER = "\N{WORD JOINER}"
"""An invisible character without width. Inside an address it keeps readers from turning the address into a link."""

_BLANKED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}  # controls, surrogates, line and paragraph separators
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ADDRESS = re.compile(rf"(?i)/(?=/)|[^\s{JOINER}](?=@)|www(?=\.)|\b(?:mailto|xmpp|tel):(?!{JOINER})")
_MARKS = re.compile(r"[\\`*\[\]<|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_BACKSLASH = re.compile(r"\\(?=\[|$)")
_AT_START = re.compile(r"(?=[#>+=-])|(?<=^)(\d{1,9})(?=[.)])")


def to_one_line(text: str) -> str:
    """Return a text on one line: control characters and line breaks become blanks, direction marks are removed."""
    cleaned = "".join(map(_clean, text)) if not text.isprintable() or _DIRECTIONS & {*text} else text
    return " ".join(cleaned.split())


def break_links(text: str) -> str:
    """Return a text on one line whose web and mail addresses no reader of plain text turns into links."""
    return _ADDRESS.sub(lambda match: match[0] + JOINER, to_one_line(text))


def escape_markdown(text: str) -> str:
    """Return Markdown that renders as the text itself, on one line, wherever inline Markdown may stand.

    Plain words, document numbers and names such as #1001 or all_loaded stay unchanged, so that the result is also
    readable without rendering. The flavour is GitHub's, as the Dagster UI renders it: it splits tables at `|` before it
    parses anything else, and it links addresses in plain text.
    """
    plain = break_links(text)
    escaped = _MARKS.sub(lambda match: f"\\{match[0]}", plain)
    return _AT_START.sub(lambda match: f"{match[0]}\\", escaped, count=1) if _starts_a_block(plain) else escaped


def escape_slack(text: str) -> str:
    """Return a text for Slack, or for a service that accepts Slack's format and renders Markdown, such as Mattermost.

    Slack requires that `&`, `<` and `>` are escaped. Brackets and addresses get an invisible character, because these
    services would display a backslash or make a link.
    """
    plain = break_links(text).replace("](", f"]{JOINER}(").replace("`", "'")
    return escape(plain, quote=False)


def escape_console(text: str) -> str:
    """Return a text for a terminal printed with `rich`, without markup and control sequences.

    Line breaks stay. A joiner separates a backslash from a following bracket or the end, because `rich` would take it
    for an escape.
    """
    lines = (_BACKSLASH.sub(rf"\\{JOINER}", to_one_line(line)) for line in text.split("\n"))
    return without_markup("\n".join(lines))


def _clean(char: str) -> str:
    if char.isspace() or unicodedata.category(char) in _BLANKED_CATEGORIES:
        return " "
    return "" if char in _DIRECTIONS else char


def _starts_a_block(plain: str) -> bool:
    """Return whether a text at the start of a line would begin a heading, a quotation, a list or a rule."""
    return re.match(r"(#{1,6}|[>+-]|\d{1,9}[.)])(\s|$)|>|[-=]+$|-{3,}|={3,}|(- ?){3}", plain) is not None
