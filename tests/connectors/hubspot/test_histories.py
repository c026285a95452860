"""Activities of HubSpot as entries of a history."""

from datetime import UTC, datetime

import pytest

from connectors.histories import Entry
from connectors.hubspot.histories import KINDS

AT = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
ROW = {"hs_timestamp": "2024-03-01T09:30:00Z", "hs_createdate": "2024-03-01T09:30:00.000Z", "hubspot_owner_id": "7"}


@pytest.mark.parametrize(
    ("type_", "properties", "entry"),
    [
        (
            "notes",
            {"hs_note_body": "<p>Замер &lt;в&gt; пятницу</p>[lh:x-1]"},
            Entry("note", AT, "7", "Замер <в> пятницу"),
        ),
        ("notes", {"hs_attachment_ids": "12;13"}, Entry("note", AT, "7", "[files: 12;13]")),
        (
            "tasks",
            {"hs_task_subject": "Позвонить", "hs_task_body": "после трёх", "hs_task_status": "NOT_STARTED"},
            Entry("task", AT, text="Позвонить: после трёх", due_at=AT, responsible="7"),
        ),
        (
            "tasks",
            {"hs_task_subject": "Позвонить", "hs_task_body": "Позвонить<br>да", "hs_task_status": "COMPLETED"},
            Entry("task", AT, text="Позвонить\nда", due_at=AT, done=True, responsible="7"),
        ),
        (
            "calls",
            {
                "hs_call_direction": "INBOUND",
                "hs_call_from_number": "+7916",
                "hs_call_to_number": "+7495",
                "hs_call_duration": "54000",
                "hs_call_status": "COMPLETED",
                "hs_call_recording_url": "https://r.example",
            },
            Entry("call", AT, "7", direction="in", phone="+7916", seconds=54, link="https://r.example"),
        ),
        (
            "calls",
            {
                "hs_call_direction": "OUTBOUND",
                "hs_call_title": "Анна",
                "hs_call_status": "NO_ANSWER",
                "hs_call_duration": "x",
            },
            Entry("call", AT, "7", "Анна · no answer", direction="out"),
        ),
        (
            "emails",
            {"hs_email_direction": "INCOMING_EMAIL", "hs_email_subject": "Смета", "hs_email_html": "<div>жду</div>"},
            Entry("letter", AT, "7", "Смета\nжду", direction="in"),
        ),
        (
            "communications",
            {"hs_communication_channel_type": "WHATS_APP", "hs_communication_body": "Ждём"},
            Entry("message", AT, "7", "Whats app: Ждём"),
        ),
        (
            "meetings",
            {"hs_meeting_title": "Замер", "hs_meeting_outcome": "COMPLETED"},
            Entry("meeting", AT, "7", "Замер · completed"),
        ),
    ],
)
def test_an_activity_of_any_type_is_told(type_: str, properties: dict[str, str], entry: Entry) -> None:
    (kind,) = (one for one in KINDS if one.type == type_)
    assert kind.told({**ROW, **properties}) == entry
