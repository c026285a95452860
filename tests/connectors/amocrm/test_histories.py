"""Notes and tasks of amoCRM as entries of a history, whatever an account puts into them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.amocrm.histories import note_entry, task_entry
from connectors.histories import Entry

AT = datetime(2024, 3, 1, tzinfo=UTC)
ROW = {"id": 1, "created_at": int(AT.timestamp()), "created_by": 7}


@pytest.mark.parametrize(
    ("kind", "params", "entry"),
    [
        ("common", {"text": "Замер #lh-0123456789"}, Entry("note", AT, "7", "Замер")),
        ("service_message", {"service": "Бот", "text": "Готово"}, Entry("note", AT, "7", "Бот: Готово")),
        (
            "sms_out",
            {"text": "Ждём", "phone": "+7916"},
            Entry("message", AT, "7", "Ждём", direction="out", phone="+7916"),
        ),
        ("call_out", {"duration": "x", "link": None}, Entry("call", AT, "7", direction="out")),
        ("call_in", {"duration": 9, "call_responsible": 8}, Entry("call", AT, "8", direction="in", seconds=9)),
        ("attachment", {"file_name": "a.pdf"}, Entry("file", AT, "7", "a.pdf")),
        ("attachment", {"attachment": "https://x.example/a"}, Entry("file", AT, "7", link="https://x.example/a")),
        ("geolocation", {"longitude": "1"}, Entry("note", AT, "7", "[geolocation]")),
        ("common", [], Entry("note", AT, "7", "[common]")),
    ],
)
def test_a_note_of_any_kind_is_told(kind: str, params: Any, entry: Entry) -> None:
    assert note_entry({**ROW, "note_type": kind, "params": params}) == replace(entry, id="note-1")


def test_a_task_has_its_result_its_due_date_and_its_person() -> None:
    row = {**ROW, "text": "Перезвонить", "complete_till": ROW["created_at"], "is_completed": True}
    told = task_entry({**row, "result": {"text": "готово"}, "responsible_user_id": 8})
    assert told == Entry("task", AT, "7", "Перезвонить → готово", due_at=AT, done=True, responsible="8", id="task-1")
    assert task_entry({"id": 2, "result": [], "created_by": 0}) == Entry("task", None, id="task-2")
