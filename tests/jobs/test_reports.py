"""The timeline as people read it."""

from typing import Any

from jobs.reports import folded


def attempt(number: int, outcome: str, error: str = "", connection: str = "sales") -> dict[str, Any]:
    at = f"2026-11-24T14:{number:02}:00+00:00"
    return {
        "event": "attempt",
        "at": at,
        "connection": connection,
        "number": number,
        "outcome": outcome,
        "error": error,
    }


def test_attempts_that_ended_alike_are_one_line_with_their_count_and_the_last() -> None:
    events = [
        {"event": "received", "at": "2026-11-24T14:00:00+00:00"},
        *(attempt(number, "rate_limited", f"wait {number} s") for number in (1, 2, 3)),
        attempt(1, "retryable", "HTTP 503", "other"),
        attempt(4, "rate_limited", "wait 4 s"),
        attempt(5, "retryable", "HTTP 503"),
        attempt(6, "retryable", "HTTP 502"),
        {"event": "lead.retry", "at": "2026-11-24T14:06:30+00:00", "actor": "anna", "why": ""},
        attempt(7, "retryable", "HTTP 502"),
        attempt(8, "created"),
    ]
    told = folded(events)
    lines = [(one["event"], one.get("number"), one.get("last_number"), one.get("count")) for one in told]
    assert lines == [
        ("received", None, None, None),
        ("attempt", 1, 4, 4),
        ("attempt", 1, None, None),
        ("attempt", 5, None, None),
        ("attempt", 6, None, None),
        ("lead.retry", None, None, None),
        ("attempt", 7, None, None),
        ("attempt", 8, None, None),
    ]
    assert (told[1]["at"], told[1]["until"], told[1]["error"]) == (events[1]["at"], events[5]["at"], "wait 4 s")
    assert events[1] == attempt(1, "rate_limited", "wait 1 s")  # what is kept stays as it was
