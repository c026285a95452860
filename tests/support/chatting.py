"""People who write to a hub on virtual time, and programs that answer them through its API."""

import json
from typing import Any

import httpx

from store.conversation_tables import t_conversation, t_outgoing
from store.users import create_token
from tests.support.hub_on_virtual_time import VirtualHub

ANNA = {"id": 5210001, "is_bot": False, "first_name": "Анна"}


class Chat:
    """One person who writes to a Telegram bot."""

    def __init__(self, h: VirtualHub, source: str = "tg", who: dict[str, Any] | None = None) -> None:
        self.h, self.source, self.who, self.number = h, source, who or ANNA, 1000

    async def say(self, text: str = "", **more: Any) -> int:
        self.number += 1
        await self.update("message", self.number, text, **more)
        return self.number

    async def edit(self, number: int, text: str) -> None:
        await self.update("edited_message", number, text, edit_date=int(self.h.clock.now().timestamp()))

    async def update(self, kind: str, number: int, text: str, **more: Any) -> None:
        message = {
            "message_id": number,
            "from": self.who,
            "chat": {"id": self.who["id"], "type": "private"},
            "date": int(self.h.clock.now().timestamp()),
            **({"text": text} if text else {}),
            **more,
        }
        answer = await self.h.request(
            "POST",
            f"/in/{self.source}",
            headers={"X-Telegram-Bot-Api-Secret-Token": "s3cret"},
            content=json.dumps({"update_id": self.number, kind: message}),
        )
        assert answer.status_code == 200, answer.text


class Program:
    """A program with a token of the API."""

    def __init__(self, h: VirtualHub) -> None:
        self.h = h
        token = h.write(lambda conn: create_token(conn, "crm", h.clock.now()))
        self.headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, path: str, **params: Any) -> Any:
        answer = await self.h.request("GET", f"/api/v1{path}", headers=self.headers, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.h.request("POST", f"/api/v1{path}", headers={**self.headers, **headers}, json=body)

    async def reply(self, text: str, **headers: str) -> httpx.Response:
        """Into the only conversation."""
        return await self.post(f"/conversations/{the_conversation(self.h).id}/messages", {"text": text}, **headers)

    async def messages(self) -> list[tuple[str, str, str]]:
        """(author, text, state) of the only conversation."""
        talk = await self.ask(f"/conversations/{the_conversation(self.h).id}")
        return [(one["author"], one["text"], one["state"]) for one in talk["messages"]]


def the_conversation(h: VirtualHub) -> Any:
    (found,) = h.rows(t_conversation)
    return found


def sent_by_us(h: VirtualHub) -> list[str]:
    """State of each message of ours."""
    return [row.state for row in h.rows(t_outgoing)]


def talk_notes(h: VirtualHub, connection: str = "amo") -> list[str]:
    """The notes of conversations in the CRM."""
    return [note for note in h.notes(connection) if note.startswith("Переписка")]
