"""Durations in YAML."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from leads.durations import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("1 h 30 min", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("0.5s", timedelta(milliseconds=500)),
        ("3 days", timedelta(days=3)),
        ("60", timedelta(minutes=1)),
        (60, timedelta(minutes=1)),
        (0.5, timedelta(milliseconds=500)),
    ],
)
def test_a_duration_is_read(text: str | float, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "d", "30x", "-5s", "5s later", "30 d ago", "1e3s", "99999d", "٣d", -1, float("nan")]
)
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.integers(0, 10**8))
def test_a_written_duration_reads_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


class Settings(BaseModel):
    wait: Duration


def test_a_model_takes_a_duration_and_writes_it_as_people_do() -> None:
    assert Settings.model_validate({"wait": "90m"}).model_dump(mode="json") == {"wait": "1h30m"}


@pytest.mark.parametrize("value", [True, None, [], "soon"])
def test_a_model_says_how_a_duration_is_written(value: Any) -> None:
    with pytest.raises(ValidationError, match="30d"):
        Settings.model_validate({"wait": value})
