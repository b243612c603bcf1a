"""Words that Xero accepts and people can read: control characters out, spaces single, lengths kept.

Only the cleaning of text belongs here; which text goes where is decided by whoever writes it.
"""

import unicodedata

UNPRINTABLE = {"Cc", "Cs", "Cn", "Co"}
NO_INK = {"Cf", "Mn", "Me", "Zs", "Zl", "Zp"}  # zero-width characters, marks without a letter, spaces
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and symbols by category that print nothing


def strip_control_chars(text: str | None) -> str:
    """Return text without control characters, trimmed, with single spaces.

    None gives '', and so does a text of which nothing can be seen, such as zero-width spaces alone. Within other text a
    zero-width character stays: it joins emoji and letters of some scripts.
    """
    text = text or ""
    if not text.isprintable():
        spaced = "".join(" " if char.isspace() else char for char in text)
        text = "".join(char for char in spaced if unicodedata.category(char) not in UNPRINTABLE)
    text = " ".join(text.split())
    return text if any(map(_is_visible, text)) else ""


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in NO_INK and char not in FILLERS


def truncate(text: str, limit: int, suffix: str = "") -> str:
    """Return text and suffix within so many characters; an ellipsis marks where the text was cut."""
    room = limit - len(suffix)
    if len(text) <= room:
        return text + suffix
    return text[: max(room - 1, 0)].rstrip() + "…" + suffix
