"""What a log line shows, what it hides, and when it is written."""

import asyncio
import io
import json
import logging

import pytest

from jobs.logs import JsonLines, LineHandler, PlainLines, clean
from leads.clock import SystemClock
from leads.ids import new_id


def logger(formatter: logging.Formatter) -> tuple[logging.Logger, io.StringIO]:
    out = io.StringIO()
    handler = LineHandler(out)
    handler.setFormatter(formatter)
    found = logging.Logger("test")  # noqa: LOG001  # one of its own: nothing of the process is changed
    found.addHandler(handler)
    return found, out


def test_a_json_line_has_event_level_time_and_fields() -> None:
    log, out = logger(JsonLines())
    log.info("lead accepted", extra={"event": "lead.accepted", "lead_id": "1", "attempt": 2})
    line = json.loads(out.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "lead.accepted", "lead_id": "1", "attempt": 2, "level": "info"}


def test_a_plain_line_has_its_fields_in_order_and_the_trace_below() -> None:
    log, out = logger(PlainLines(colours=False))
    try:
        raise ValueError("about ivan@example.ru")
    except ValueError:
        log.exception("failed", extra={"event": "delivery.bug", "connection": "my sales", "attempt": 1})
    first, *trace = out.getvalue().splitlines()
    assert first.split("Z ", 1)[1] == "[error    ] delivery.bug                   attempt=1 connection='my sales'"
    assert trace[-1] == "ValueError: about i***@example.ru"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("+7 916 123-45-67", "+7916***4567"),
        ("a@b.ru", "a***@b.ru"),
        ("Bearer abcdef", "Bearer ***"),
        ("calls ivan@example.ru about everything that he wanted to know", "calls i***@example.ru about everything "
         "that he wanted to know"),
        ("lead.accepted", "lead.accepted"),
    ],
)  # fmt: skip
def test_no_person_and_no_secret_reaches_a_line(given: str, shown: str) -> None:
    log, out = logger(JsonLines())
    log.info(given)
    log.info("fields", extra={"cause": given})
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0]["event"] == lines[1]["cause"] == shown


def test_our_own_ids_are_shown_whole() -> None:
    clock = SystemClock()
    for _ in range(500):
        found = new_id(clock)
        assert clean(found) == found


async def test_lines_of_a_moment_are_written_together_and_a_warning_takes_all_along() -> None:
    log, out = logger(PlainLines(colours=False))
    log.info("first")
    assert out.getvalue() == ""
    log.warning("second")
    assert [line.split()[-1] for line in out.getvalue().splitlines()] == ["first", "second"]
    log.info("third")
    async with asyncio.timeout(60):
        while "third" not in out.getvalue():
            await asyncio.sleep(0.01)


def test_without_an_event_loop_a_line_is_written_at_once() -> None:
    log, out = logger(PlainLines(colours=False))
    log.info("now")
    assert out.getvalue().endswith("now\n")
