"""`/api/v1/conversations`: what was said, and answers into the messenger that the client wrote from."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query
from pydantic import AfterValidator

from jobs.hub import Hub
from jobs.talks import replying
from jobs.talks import reports as talk_reports
from store.conversations import TalkFilter
from web import api_models as shapes
from web import api_talk_models as talks
from web.access import TokenGate

NO_TALK: dict[int | str, dict[str, Any]] = {
    404: {"model": shapes.Problem, "description": "There is no such conversation or message"}
}
REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"model": shapes.Problem, "description": "It may not be sent; the reason is in `error`"}
}
ConversationId = Annotated[str, Path(max_length=200), AfterValidator(shapes.without_nul)]


def add_conversations(api: APIRouter, hub: Hub, gate: TokenGate) -> None:
    Caller = Annotated[str, Depends(gate)]  # a type

    @api.get("/conversations", tags=["conversations"])
    async def list_conversations(asked: Annotated[talks.ConversationsAsked, Query()]) -> talks.Conversations:
        """Those with the newest message first."""
        wanted = TalkFilter(asked.source, asked.person_id, asked.lead_id)
        ask = partial(talk_reports.list_json, wanted=wanted, limit=asked.limit + 1, before=asked.before)
        found = await hub.db.read(ask)
        page = found[: asked.limit]
        more = page[-1]["last_at"] if len(found) > asked.limit else None
        return talks.Conversations.model_validate({"conversations": page, "next_before": more})

    @api.get("/conversations/{conversation_id}", tags=["conversations"], responses=NO_TALK)
    async def conversation(conversation_id: ConversationId) -> talks.Talk:
        """One with its messages and notes."""
        found = await hub.db.read(talk_reports.talk_json, conversation_id)
        if found is None:
            raise HTTPException(404, "no such conversation")
        return talks.Talk.model_validate(found)

    @api.post(
        "/conversations/{conversation_id}/messages",
        tags=["conversations"],
        status_code=202,
        responses={**NO_TALK, **REFUSED},
    )
    async def reply(
        conversation_id: ConversationId,
        wanted: talks.Reply,
        caller: Caller,
        idempotency_key: Annotated[str, Header(max_length=200)] = "",
    ) -> talks.Sent:
        """Answers in the messenger that the client wrote from. With the same Idempotency-Key it is sent once."""
        answered = await hub.db.write(
            replying.reply,
            links=hub.links,
            conversation_id=conversation_id,
            text=wanted.text,
            actor=f"api:{caller}",
            request_key=shapes.without_nul(idempotency_key),
            clock=hub.clock,
        )
        if answered.missing:
            raise HTTPException(404, "no such conversation")
        if answered.refusal is not None:
            raise HTTPException(409, str(answered.refusal))
        hub.wake(answered.wake)
        return talks.Sent(id=answered.message_id)

    @api.post("/conversations/{conversation_id}/note", tags=["conversations"], responses=NO_TALK)
    async def note(conversation_id: ConversationId, caller: Caller) -> talks.Noted:
        """What was said since the last note is noted now, and what could not be written is tried again."""
        if await hub.db.read(talk_reports.talk_json, conversation_id) is None:
            raise HTTPException(404, "no such conversation")
        noted = await replying.note_now(hub.db, hub.gathering, conversation_id, actor=f"api:{caller}", clock=hub.clock)
        return talks.Noted(noted=noted)

    @api.post("/messages/{message_id}/retry", tags=["conversations"], responses=REFUSED)
    async def retry(message_id: ConversationId, caller: Caller) -> talks.Sent:
        """Sends a message that failed, or of which nobody can say whether it arrived."""
        await _decide(hub, message_id, "retry", f"api:{caller}")
        return talks.Sent(id=message_id)

    @api.post("/messages/{message_id}/discard", tags=["conversations"], responses=REFUSED, status_code=204)
    async def discard(message_id: ConversationId, caller: Caller) -> None:
        """It need not be sent any more."""
        await _decide(hub, message_id, "discard", f"api:{caller}")


async def _decide(hub: Hub, message_id: str, decision: replying.Decision, actor: str) -> None:
    names = await hub.db.write(replying.decide, message_id=message_id, decision=decision, actor=actor, clock=hub.clock)
    if not names:
        raise HTTPException(409, "there is no such message, or nothing is to be decided about it")
    hub.try_now(names)
