"""Logs: one line per event with its fields as data, free of secrets and of people."""

import logging
import sys
from typing import Any

import structlog

from leads.redact import redact

QUIET = ("httpx", "httpcore", "apscheduler", "asyncio", "alembic", "uvicorn.access", "multipart", "python_multipart")


def set_up(*, json_lines: bool, level: int = logging.INFO) -> None:
    """For the whole process. JSON lines for machines, coloured ones for a terminal."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if not json_lines:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _redact(_logger: Any, _name: str, fields: Any) -> Any:
    """The last wall: whatever slipped into a text does not reach the log."""
    return {
        key: redact(value) if isinstance(value, str) and key != "timestamp" else value for key, value in fields.items()
    }
