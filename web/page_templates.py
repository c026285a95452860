"""The templates of the console: HTML with every value escaped."""

import hashlib
from datetime import datetime
from functools import cached_property
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


class Templates:
    """Compiled once, at the first page."""

    @cached_property
    def files(self) -> dict[str, bytes]:
        """What the pages load, by name."""
        return {name: (HERE / "static" / name).read_bytes() for name in FILES}

    @cached_property
    def version(self) -> str:
        """Changes when one of the files does, so that browsers may keep them for ever."""
        return hashlib.sha256(b"".join(self.files.values())).hexdigest()[:12]

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(phone=spaced, segment=_segment, iso=_iso, instant=datetime.fromisoformat)
        environment.globals.update(version=self.version, link=link)
        return environment

    def render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)


def link(path: str, **params: Any) -> str:
    """`/leads?status=failed`: without the parameters that are empty."""
    query = urlencode({name: value for name, value in params.items() if value})
    return f"{path}?{query}" if query else path


def _segment(text: str) -> str:
    """As one part of a path."""
    return quote(text, safe="")


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
