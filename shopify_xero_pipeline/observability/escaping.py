"""Text that people or the two APIs gave, made safe for where it is shown: Markdown, Slack, e-mail, a terminal.

Order names, titles, SKUs, gateway names and Xero's reasons are data. None of them may become a link, break a row of a
table, leave a code block or inject HTML. Every place that shows such a text uses one function of this module; how the
place looks otherwise is not decided here.
"""

import re
import unicodedata

from rich.markup import escape as without_markup

JOINER = "\N{WORD JOINER}"
"""Invisible and without width. It stands inside an address, so that no reader turns the address into a link."""

_UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ADDRESS = re.compile(rf"(?i)/(?=/)|[^\s{JOINER}](?=@)|www(?=\.)|\b(?:mailto|xmpp|tel):(?!{JOINER})")
_MARKS = re.compile(r"[\\`*\[\]<|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_BACKSLASH = re.compile(r"\\(?=\[|$)")
_AT_START = re.compile(r"(?=[#>+=-])|(?<=^)(\d{1,9})(?=[.)])")


def to_one_line(text: str) -> str:
    """Return a text on one line: control characters and line breaks become blanks, marks of direction are left out."""
    shown = "".join(_shown(char) for char in text) if not text.isprintable() or _DIRECTIONS & {*text} else text
    return " ".join(shown.split())


def break_links(text: str) -> str:
    """Return a text on one line in which no reader of plain text finds a web or mail address to link."""
    return _ADDRESS.sub(lambda found: found[0] + JOINER, to_one_line(text))


def escape_markdown(text: str) -> str:
    """Return a text as Markdown that is shown as the text itself, on one line, wherever inline Markdown may stand.

    Plain words, numbers of documents and names such as #1001 or all_loaded stay as they are, so that the result can
    also be read where Markdown is not rendered. GitHub's flavour is meant, as the Dagster UI renders it: its tables
    are split at `|` before anything else is read, and it links addresses in plain text.
    """
    plain = break_links(text)
    marked = _MARKS.sub(lambda found: f"\\{found[0]}", plain)
    return _AT_START.sub(lambda found: f"{found[0]}\\", marked, count=1) if _starts_a_block(plain) else marked


def escape_slack(text: str) -> str:
    """Return a text for a message to Slack, or to what takes Slack's format and renders Markdown, such as Mattermost.

    Slack's own rule is that `&`, `<` and `>` are escaped. Brackets and addresses get an invisible character, because
    both kinds of reader would show a backslash or make a link.
    """
    plain = break_links(text).replace("](", f"]{JOINER}(").replace("`", "'")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_console(text: str) -> str:
    """Return a text for a terminal printed with `rich`: no markup of its, and nothing that steers a terminal.

    Line breaks stay. A backslash before a bracket, or at the end, would be taken for one of rich's own; a joiner keeps
    it apart.
    """
    lines = (_BACKSLASH.sub(rf"\\{JOINER}", to_one_line(line)) for line in text.split("\n"))
    return without_markup("\n".join(lines))


def _shown(char: str) -> str:
    if char.isspace() or unicodedata.category(char) in _UNSHOWN:
        return " "
    return "" if char in _DIRECTIONS else char


def _starts_a_block(plain: str) -> bool:
    """Tell whether a text would begin a heading, a quotation, a list or a rule at the beginning of a line."""
    return re.match(r"(#{1,6}|[>+-]|\d{1,9}[.)])(\s|$)|>|[-=]+$|-{3,}|={3,}|(- ?){3}", plain) is not None
