"""Logs: one line per event with its fields as data, free of secrets and of people.

A line is written for every lead, so it must cost little: lines are formatted without machinery and go out together.
Each write to a file lets another thread take over, and waiting to get back in costs more than the line itself.
"""

import asyncio
import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

from leads.redact import redact

QUIET = ("httpx", "httpcore", "apscheduler", "asyncio", "alembic", "uvicorn.access", "multipart", "python_multipart")
FLUSH_S = 0.05
"""Lines wait at most this long for others to be written with; warnings and errors go at once."""
FIELDS_AT = 31
"""Column, counted from the level, at which the fields begin."""


def set_up(*, json_lines: bool, level: int = logging.INFO) -> None:
    """For the whole process. JSON lines for machines, aligned ones for people, coloured on a terminal."""
    handler = LineHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_lines else PlainLines(colours=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A sender that hung up gets no answer, and a sandbox CRM cuts connections on purpose: neither is an error.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "without starting response" not in str(record.msg))
    # What no line shows need not be found out (docs.python.org/3/howto/logging.html#optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented there


class LineHandler(logging.Handler):
    """Writes lines in groups: with a running event loop after FLUSH_S or at the next warning, else at once."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: list[str] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
            if record.levelno >= logging.WARNING or not self._flush_later():
                self.flush()
        except Exception:  # as every handler of `logging`: a line that cannot be written stops nobody
            self.handleError(record)

    def _flush_later(self) -> bool:
        """Whether a flush is coming, because this thread runs an event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if loop is not self._flushed_by:
            self._flushed_by = loop
            loop.call_later(FLUSH_S, self.flush)
        return True

    def flush(self) -> None:
        with self.lock:  # type: ignore[union-attr]  # only None while logging itself is being torn down
            self._flushed_by = None
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()


class _Lines(logging.Formatter):
    def line(self, record: logging.LogRecord) -> dict[str, Any]:
        """What to show: `event`, then what was given as `extra`, each value clean."""
        given = record.__dict__
        shown: dict[str, Any] = {"event": clean(record.getMessage()) if "event" not in given else given["event"]}
        for name, value in given.items():
            if name not in STANDARD:
                shown[name] = clean(value) if isinstance(value, str) else value
        if record.exc_info:
            shown["exception"] = redact(self.formatException(record.exc_info))
        return shown


class JsonLines(_Lines):
    """`{"event": …, "level": …, "timestamp": …, fields}`."""

    def format(self, record: logging.LogRecord) -> str:
        shown = self.line(record)
        shown["level"] = record.levelname.lower()
        shown["timestamp"] = _time(record.created)
        return json.dumps(shown, ensure_ascii=False, default=str)


class PlainLines(_Lines):
    """`time [level] event name=value …`, with a traceback on lines of its own."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = COLOURS if colours else {}

    def format(self, record: logging.LogRecord) -> str:
        shown = self.line(record)
        event, trace = shown.pop("event"), shown.pop("exception", "")
        level = f"[{record.levelname.lower():9}]"
        if record.levelno in self._colours:
            level = f"\x1b[{self._colours[record.levelno]}m{level}\x1b[0m"
        fields = " ".join(f"{name}={_shown(value)}" for name, value in sorted(shown.items()))
        line = f"{_time(record.created)} {level} {event:<{FIELDS_AT}}{fields}".rstrip()
        return f"{line}\n{trace}" if trace else line


STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
"""What every record has, and uvicorn's second copy of its text."""
COLOURS = {logging.INFO: 32, logging.WARNING: 33, logging.ERROR: 31, logging.CRITICAL: 31}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
SHORTEST_TO_HIDE = 6
"""Characters of the shortest text in which `redact` finds something: an e-mail address."""
REPEATED_MAX = 48


def clean(text: str) -> str:
    """The last wall: whatever slipped into a field does not reach the log. Our own ids are known to be harmless."""
    if len(text) < SHORTEST_TO_HIDE or (len(text) == 36 and _ID.fullmatch(text)):
        return text
    return _redact_short(text) if len(text) <= REPEATED_MAX else redact(text)


@lru_cache(1024)  # names of events, sources and connections
def _redact_short(text: str) -> str:
    return redact(text)


def _shown(value: Any) -> str:
    """Bare where that reads well, else in quotes."""
    text = value if isinstance(value, str) else repr(value)
    return text if text and not _NEEDS_QUOTES.search(text) else repr(text)


_NEEDS_QUOTES = re.compile(r"""[\s"'=]""")


@lru_cache(4)  # many lines fall into one second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _time(created: float) -> str:
    seconds = int(created)
    return f"{_second(seconds)}.{int((created - seconds) * 1_000_000):06d}Z"
