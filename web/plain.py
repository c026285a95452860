"""Texts that people type, as they may be stored."""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Without control characters and halves of characters, which a database may refuse."""
    return _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
