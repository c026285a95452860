from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobs.alerts.words import Style
from jobs.sources.report import SourceLine
from jobs.sources.texts import Trouble, refusal_text, trouble_of


@pytest.mark.parametrize(
    ("status", "reason", "trouble"),
    [
        (401, "the signature is wrong or missing", "secret"),
        (401, "the signature is too old, or the clock of this machine is wrong", "clock"),
        (403, "the sender's address is none of YooKassa's", "address"),
        (403, "the event is of another shop", "account"),
        (403, "another community", "account"),
        (403, "the token in the address is wrong or missing", "token"),
        (400, "the JSON has no fields", "unreadable"),
    ],
)
def test_a_refusal_speaks_of_its_kind_of_trouble(status: int, reason: str, trouble: Trouble) -> None:
    assert trouble_of(status, reason) == trouble


def test_an_address_that_is_not_let_in_names_the_setting_of_each_door() -> None:
    told = refusal_text("ru", 3, 403, "the sender's address is none of YooKassa's", "14:02")
    assert told.startswith("3 × 403 с 14:02: ")
    assert "allowed_ips" in told
    assert "trusted_ip" in told


def test_a_door_that_cannot_listen_says_since_when() -> None:
    at = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
    line = SourceLine(
        "box", "Почта", "imap", "E-mail box", "form", "", (), is_open=False, last_at=None, today={}, lost_since=at
    )
    assert line.hints(Style("ru"), at) == ["нет связи с сервисом с 11:02"]
    assert line.hints(Style("en"), at) == ["no connection to the vendor since 11:02"]
    assert replace(line, lost_since=None).hints(Style("en"), at) == []
