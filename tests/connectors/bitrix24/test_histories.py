"""Comments and activities of Bitrix24 as entries of a history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.bitrix24.histories import activity_entries, comment_entries
from connectors.histories import Entry

AT = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
LATER = AT + timedelta(days=1)
ROW = {"ID": "5", "CREATED": "2024-03-01T12:30:00+03:00", "AUTHOR_ID": "7", "RESPONSIBLE_ID": "8"}
DUE = {"DEADLINE": "2024-03-02T12:30:00+03:00"}
NONE = {"DEADLINE": "9999-12-31T00:00:00+03:00"}
TO = {"COMMUNICATIONS": [{"TYPE": "PHONE", "VALUE": "+7916"}]}
SPOKEN = {"START_TIME": "2024-03-01T12:30:00+03:00", "END_TIME": "2024-03-01T12:30:54+03:00"}


def numbered(id: str, entries: list[Entry]) -> list[Entry]:
    """Files come along with what they hang on."""
    return [one if one.kind == "file" else replace(one, id=id) for one in entries]


@pytest.mark.parametrize(
    ("fields", "entries"),
    [
        ({"COMMENT": "[b]Замер[/b] [в пятницу]\n#leadhub:x:note"}, [Entry("note", AT, "7", "Замер [в пятницу]")]),
        (
            {"COMMENT": "[url=https://x.example]Проект[/url]", "AUTHOR_ID": "0"},
            [Entry("note", AT, "", "Проект (https://x.example)")],
        ),
        (
            {"COMMENT": "", "FILES": {"9": {"name": "plan.pdf", "urlDownload": "https://f.example/9"}}},
            [Entry("file", AT, "7", "plan.pdf", link="https://f.example/9")],
        ),
        ({"COMMENT": "", "FILES": []}, []),
    ],
)
def test_a_comment_is_told_with_its_files(fields: dict[str, Any], entries: list[Entry]) -> None:
    assert comment_entries({**ROW, **fields}) == numbered("comment-5", entries)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://p.example/show.php?fileId=3&ownerId=5&auth=5f1c0a", "https://p.example/show.php?fileId=3&ownerId=5"),
        (
            "https://p.example/uf.php?attachedId=4&auth%5Baplogin%5D=1&auth%5Bap%5D=j9gd&action=download",
            "https://p.example/uf.php?attachedId=4&action=download",
        ),
        ("https://p.example/a.mp3?auth=", "https://p.example/a.mp3"),
        ("https://p.example/a.mp3", "https://p.example/a.mp3"),
    ],
)
def test_a_link_bears_no_token(url: str, link: str) -> None:
    row = {**ROW, "TYPE_ID": "2", "COMPLETED": "Y", "SUBJECT": "Звонок", "FILES": [{"id": 1, "url": url}]}
    assert activity_entries(row)[0].link == link


@pytest.mark.parametrize(
    ("fields", "entries"),
    [
        (
            {
                "TYPE_ID": "2",
                "PROVIDER_ID": "VOXIMPLANT_CALL",
                "DIRECTION": "1",
                "COMPLETED": "N",
                **DUE,
                **SPOKEN,
                **TO,
            },
            [Entry("call", AT, "8", "Звонок", direction="in", phone="+7916", seconds=54)],
        ),
        (
            {
                "TYPE_ID": "2",
                "DIRECTION": "2",
                "COMPLETED": "Y",
                **TO,
                "FILES": [{"id": 1, "url": "https://r.example"}],
            },
            [Entry("call", AT, "8", "Звонок", direction="out", phone="+7916", link="https://r.example")],
        ),
        (
            {"TYPE_ID": "2", "COMPLETED": "N", **DUE},
            [Entry("task", AT, "7", "Звонок", LATER, responsible="8")],
        ),
        (
            {"TYPE_ID": "6", "PROVIDER_ID": "CRM_TODO", "COMPLETED": "Y", "DESCRIPTION": "Звонок\nпосле трёх", **DUE},
            [Entry("task", AT, "7", "Звонок\nпосле трёх", LATER, done=True, responsible="8")],
        ),
        (
            {"TYPE_ID": "3", "COMPLETED": "N", "DESCRIPTION": "смета", **NONE},
            [Entry("task", AT, "7", "Звонок: смета", responsible="8")],
        ),
        (
            {"TYPE_ID": "4", "DIRECTION": "2", "DESCRIPTION_TYPE": "3", "DESCRIPTION": "<p>Смета&nbsp;тут</p>", **TO},
            [Entry("letter", AT, "7", "Звонок: Смета\xa0тут", direction="out", phone="+7916")],
        ),
        (
            {"TYPE_ID": "6", "PROVIDER_ID": "CRM_SMS", "DIRECTION": "2"},
            [Entry("message", AT, "7", "Звонок", direction="out")],
        ),
        ({"TYPE_ID": "1", "COMPLETED": "Y", **SPOKEN}, [Entry("meeting", AT, "8", "Звонок")]),
        ({"TYPE_ID": "6", "PROVIDER_ID": "CRM_WEBFORM", "SUBJECT": ""}, [Entry("note", AT, "7", "[CRM_WEBFORM]")]),
    ],
)
def test_an_activity_of_any_kind_is_told(fields: dict[str, Any], entries: list[Entry]) -> None:
    assert activity_entries({**ROW, "SUBJECT": "Звонок", **fields}) == numbered("activity-5", entries)
