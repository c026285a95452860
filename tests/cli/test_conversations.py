"""`leadhub conversations` as an operator uses it, without a running hub."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from cli.main import build
from store.conversation_tables import t_note_duty, t_outgoing
from store.engines import make_engine
from store.tables import t_audit_entry
from tests.support.chatting import Chat
from tests.support.databases import new_sqlite
from tests.support.hub_on_virtual_time import config as hub_config
from tests.support.hub_on_virtual_time import hub, virtual

BOT = "tg: {type: telegram, secret_token: s3cret, bot_token: '1:sandbox', api_url: 'http://tg.test'}"
TEXT = hub_config("  - {from: ['*'], to: [amo]}", sources=BOT)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose database holds one conversation of two messages, the second not noted yet."""
    url = new_sqlite(tmp_path)

    @virtual
    async def talk() -> None:
        async with hub(TEXT, database=url) as h:
            chat = Chat(h)
            await chat.say("Привет")
            await h.quiet()
            await chat.edit(await chat.say("Сколько?"), "Сколько стоит?")

    talk()
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def leadhub(config: Path, *words: str) -> Result:
    return CliRunner().invoke(build(), ["conversations", *words, "--config", str(config)])


def rows(config: Path, table: Any) -> list[Any]:
    engine = make_engine(f"sqlite:///{config.parent / 'leadhub.db'}", writer=False)
    with engine.connect() as conn:
        found = list(conn.execute(select(table)))
    engine.dispose()
    return found


def the_id(config: Path) -> str:
    (one,) = json.loads(leadhub(config, "list", "--json").output)
    return str(one["id"])


def test_a_conversation_is_listed_and_shown(config: Path) -> None:
    assert "Анна" in leadhub(config, "list").output
    shown = leadhub(config, "show", the_id(config))
    assert (shown.exit_code, "Анна: Привет" in shown.output, "Сколько стоит?  (изменено)" in shown.output) == (
        0,
        True,
        True,
    )
    assert leadhub(config, "list", "--source", "other", "--json").output.strip() == "[]"
    assert "no conversation" in str(getattr(leadhub(config, "show", "none").exception, "message", ""))


def test_an_answer_is_queued_for_the_hub_and_audited(config: Path) -> None:
    assert leadhub(config, "reply", the_id(config), "10 000").exit_code == 0
    (message,) = rows(config, t_outgoing)
    assert (message.state, message.text) == ("ready", "10 000")
    assert [entry.action for entry in rows(config, t_audit_entry)] == ["conversation.reply"]
    assert "ждёт отправки" in leadhub(config, "show", the_id(config)).output
    assert leadhub(config, "discard", message.id).exit_code == 0
    assert [one.state for one in rows(config, t_outgoing)] == ["discarded"]
    assert leadhub(config, "discard", message.id).exit_code == 1


def test_an_answer_that_may_not_be_sent_is_refused(config: Path) -> None:
    refused = leadhub(config, "reply", the_id(config), "я" * 5000)
    assert "longer than the 4096" in str(getattr(refused.exception, "message", ""))
    assert rows(config, t_outgoing) == []


def test_a_note_is_made_at_once_when_a_person_asks(config: Path) -> None:
    assert leadhub(config, "note", the_id(config)).exit_code == 0
    assert [(duty.connection, duty.state) for duty in rows(config, t_note_duty)] == [("amo", "ready")]
    shown = leadhub(config, "show", the_id(config))
    assert "заметка 1  amo  ждёт" in shown.output
