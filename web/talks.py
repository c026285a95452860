"""Conversations on the page of a lead: what was said, an answer, and what a person decides about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import Route

from connectors.links import Outgoing, Refusal, Replies
from jobs.hub import Hub
from jobs.talks import replying
from jobs.talks import reports as talk_reports
from jobs.talks.gathering import channel_name
from store import conversations
from store.reading import Story
from web.entrance import Entrance
from web.plain import plain_text
from web.reasons import in_words
from web.visit import Visit
from web.words import Words

SHOWN = 50
TEXT_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Said:
    id: str
    at: datetime
    ours: bool
    who: str
    text: str
    media: Sequence[Mapping[str, str]]
    edited: bool
    deleted: bool
    state: str
    error: str
    why: str
    """The error as a person says it."""


@dataclass(frozen=True, slots=True)
class TalkView:
    """`refusal`: why no answer can be written now, None when one can."""

    id: str
    channel: str
    messages: Sequence[Said]
    earlier: int
    refusal: Refusal | None
    waits: bool
    """Something said is not noted in the CRM yet."""

    @property
    def undecided(self) -> int:
        """Messages of ours of which a person has to decide."""
        return sum(one.state in ("failed", "unknown") for one in self.messages)


class Talks:
    """The part of the console; one for each process."""

    def __init__(self, hub: Hub, entrance: Entrance) -> None:
        self._hub = hub
        self._entrance = entrance

    def routes(self) -> list[Route]:
        change = self._entrance.changes
        return [
            Route("/conversations/{conversation_id}/reply", change(self._reply), methods=["POST"]),
            Route("/conversations/{conversation_id}/note", change(self._note), methods=["POST"]),
            Route("/messages/{message_id}/retry", change(partial(self._decide, decision="retry")), methods=["POST"]),
            Route(
                "/messages/{message_id}/discard", change(partial(self._decide, decision="discard")), methods=["POST"]
            ),
        ]

    async def of(self, story: Story, words: Words) -> list[TalkView]:
        """Those of the lead and of its person, the newest first."""
        return await self._hub.db.read(self._of, story=story, words=words)

    def _of(self, conn: Connection, story: Story, words: Words) -> list[TalkView]:
        person = story.person.id if story.person else ""
        rows = conversations.talks_of_person(conn, person, [story.lead.id])
        return [self._view(row, talk_reports.talk_json(conn, row.id) or {}, words) for row in rows]

    def _view(self, row: Any, told: Mapping[str, Any], words: Words) -> TalkView:
        channel = channel_name(row.channel)
        messages = [_said(one, channel, words) for one in told.get("messages", ())]
        link: object = self._hub.links.get(row.source)
        refusal: Refusal | None = Refusal("no_access")
        if isinstance(link, Replies):
            refusal = link.why_not(Outgoing("", row.chat_id, row.channel, "?", row.last_client_at))
        return TalkView(
            id=row.id,
            channel=channel,
            messages=messages[-SHOWN:],
            earlier=max(0, len(messages) - SHOWN),
            refusal=refusal,
            waits=bool(row.due_at),
        )

    async def _reply(self, visit: Visit) -> Response:
        text = plain_text(visit.given("text"))[:TEXT_MAX]
        answered = await self._hub.db.write(
            replying.reply,
            links=self._hub.links,
            conversation_id=_id(visit, "conversation_id"),
            text=text,
            actor=visit.actor,
            request_key=plain_text(visit.given("key")),
            clock=self._hub.clock,
        )
        if answered.refusal is not None:
            return visit.back(f"talk.refused_{answered.refusal.code}", limit=answered.refusal.limit)
        if answered.missing:
            return visit.back("done.nothing", why=visit.words("talk.missing"))
        self._hub.wake(answered.wake)
        return visit.back("talk.queued")

    async def _note(self, visit: Visit) -> Response:
        hub = self._hub
        conversation_id = _id(visit, "conversation_id")
        noted = await replying.note_now(hub.db, hub.gathering, conversation_id, actor=visit.actor, clock=hub.clock)
        return visit.back("talk.noting" if noted else "talk.nothing")

    async def _decide(self, visit: Visit, decision: replying.Decision) -> Response:
        message_id = _id(visit, "message_id")
        names = await self._hub.db.write(
            replying.decide, message_id=message_id, decision=decision, actor=visit.actor, clock=self._hub.clock
        )
        if names:
            self._hub.try_now(names)
        return visit.back(f"talk.done_{decision}" if names else "talk.nothing")


def _said(one: Mapping[str, Any], channel: str, words: Words) -> Said:
    media = [part for part in one["media"] if part["kind"]]
    return Said(
        id=one["id"],
        at=datetime.fromisoformat(one["at"]),
        ours=one["author"] != "client",
        who=one["author_name"],
        text=one["text"],
        media=[{**part, "url": _web(part["url"])} for part in media],
        edited=one["edited"],
        deleted=one["deleted"],
        state="" if one["state"] in ("received", "sent") else one["state"],
        error=one["error"],
        why=in_words(one["error"], words, channel) if one["error"] else "",
    )


def _web(url: str) -> str:
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _id(visit: Visit, name: str) -> str:
    return plain_text(visit.request.path_params[name])[:64]
