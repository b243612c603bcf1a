"""Words that Xero accepts: control characters out, spaces single, lengths kept.

Only the cleaning of text belongs here; which text goes where is decided by whoever writes it.
"""

import unicodedata

UNPRINTABLE = {"Cc", "Cs", "Cn", "Co"}


def plain(text: str | None) -> str:
    """Return text without control characters, trimmed, with single spaces; None gives ''."""
    text = text or ""
    if not text.isprintable():
        spaced = "".join(" " if char.isspace() else char for char in text)
        text = "".join(char for char in spaced if unicodedata.category(char) not in UNPRINTABLE)
    return " ".join(text.split())


def cut(text: str, limit: int, suffix: str = "") -> str:
    """Return text and suffix within so many characters; an ellipsis marks where the text was cut."""
    room = limit - len(suffix)
    if len(text) <= room:
        return text + suffix
    return text[: max(room - 1, 0)].rstrip() + "…" + suffix
