"""The templates of the console: HTML with every value escaped."""

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobs.fallback_text import spaced

HERE = Path(__file__).parent
FILES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}


@cache
def files() -> dict[str, bytes]:
    """What the pages load, by name."""
    return {name: (HERE / "static" / name).read_bytes() for name in FILES}


@cache
def version() -> str:
    """Changes when one of the files does, so that browsers may keep them for ever."""
    return hashlib.sha256(b"".join(files().values())).hexdigest()[:12]


@cache
def _environment() -> Environment:
    """Keeps the templates, each compiled at the first page that needs it."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(phone=spaced, segment=_segment, iso=_iso, instant=datetime.fromisoformat)
    environment.globals.update(version=version(), link=link)
    return environment


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


def link(path: str, **params: Any) -> str:
    """`/leads?status=failed`: without the parameters that are empty."""
    query = urlencode({name: value for name, value in params.items() if value})
    return f"{path}?{query}" if query else path


def _segment(text: str) -> str:
    """As one part of a path."""
    return quote(text, safe="")


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
