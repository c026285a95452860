"""What somebody typed into the search box."""

from leads.phones import phones
from web.plain import plain_text

LONGEST = 200


def clean_query(text: str) -> str:
    return plain_text(text)[:LONGEST]


def find_phone(text: str, region: str | None) -> str:
    """E.164 when the text is one phone in whatever spelling, else ""."""
    digits = sum(char.isdigit() for char in text)
    if digits < 7 or any(char.isalpha() or char == "@" for char in text):
        return ""
    found = phones(text[:LONGEST], region or "").found
    return found[0] if len(found) == 1 else ""
