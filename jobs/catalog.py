"""Texts in Russian and English: a JSON file for each language, plural forms by their Unicode CLDR names."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale

Entry = str | Mapping[str, str]
"""A text with placeholders in braces, or one for each plural form of `n`; a form that is not there is "other"."""


@lru_cache(maxsize=8)
def texts(folder: Path, locale: str) -> Mapping[str, Entry]:
    found: dict[str, Entry] = json.loads((folder / f"{locale}.json").read_text(encoding="utf-8"))
    return found


def of_number(entry: Entry, locale: str, values: Mapping[str, Any]) -> str:
    """The text in the form that `n` of the values wants."""
    if isinstance(entry, str):
        return entry
    return entry.get(_locale(locale).plural_form(values["n"]), entry["other"])


@lru_cache(maxsize=8)
def _locale(name: str) -> Locale:
    return Locale.parse(name)
