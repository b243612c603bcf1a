"""Text that Xero accepts: without control characters, with single spaces, within a length limit."""

import unicodedata

# Categories of Unicode, https://www.unicode.org/reports/tr44/#General_Category_Values.
UNPRINTABLE = {"Cc", "Cs", "Cn", "Co"}
INVISIBLE = {"Cf", "Mn", "Me", "Zs", "Zl", "Zp"}  # zero-width characters, marks without a letter, spaces
FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # invisible, although letters or symbols by category


def strip_control_chars(text: str | None) -> str:
    """Return text without control characters, trimmed, with single spaces.

    None and text without visible characters, such as zero-width spaces alone, give ''. A zero-width character within
    other text remains, because it joins emoji and letters of some scripts.
    """
    text = text or ""
    if not text.isprintable():
        spaced = "".join(" " if char.isspace() else char for char in text)
        text = "".join(char for char in spaced if unicodedata.category(char) not in UNPRINTABLE)
    text = " ".join(text.split())
    if text.isascii():
        return text
    return text if any(map(_is_visible, text)) else ""


def _is_visible(char: str) -> bool:
    return unicodedata.category(char) not in INVISIBLE and char not in FILLERS


def truncate(text: str, limit: int, suffix: str = "") -> str:
    """Return text and suffix within a limit; truncated text ends with an ellipsis.

    Args:
        text: the text to truncate.
        limit: the number of characters, including the suffix.
        suffix: the end, which is never truncated.
    """
    room = limit - len(suffix)
    if len(text) <= room:
        return text + suffix
    return text[: max(room - 1, 0)].rstrip() + "…" + suffix
