"""The shapes of the JSON API that are about conversations."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from web.api_models import Asked, Shape, Word


class ConversationsAsked(Asked):
    source: Word = ""
    person_id: Word = ""
    lead_id: Word = ""
    limit: int = Field(50, ge=1, le=500)
    before: datetime | SkipJsonSchema[None] = Field(None, description="`next_before` of the page before")


class Conversation(Shape):
    id: str
    source: str
    channel: str = Field(description="the messenger that the client wrote from")
    chat_id: str
    lead_id: str = Field(description="the enquiry it began with; empty while the client has not written")
    person_id: str
    name: str
    started_at: datetime
    last_at: datetime
    last_client_at: datetime | None = Field(description="when the client last wrote, by the messenger's clock")
    note_due_at: datetime | None = Field(description="when what was said last becomes a note in the CRM")


class Conversations(Shape):
    """Those with the newest message first. `next_before`: give it as `before` for the next page."""

    conversations: list[Conversation]
    next_before: datetime | None


class Media(Shape):
    kind: str
    url: str
    name: str


class Message(Shape):
    """As it reads now. `state` of ours: sent, pending, failed, or unknown: then nobody can say whether it arrived."""

    id: str
    at: datetime
    author: Literal["client", "us", "bot"]
    author_name: str
    text: str
    media: list[Media]
    edited: bool
    deleted: bool
    state: Literal["received", "sent", "pending", "failed", "unknown"]
    kind: Literal["", "reply", "auto"]
    error: str


class ConversationNote(Shape):
    number: int
    connection: str
    state: Literal["ready", "written", "failed", "discarded"]
    made_at: datetime
    deal_id: str
    record_id: str
    error: str


class Talk(Conversation):
    """A conversation with its messages, oldest first, and its notes."""

    messages: list[Message]
    notes: list[ConversationNote]


class Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")]


class Sent(Shape):
    """`state` tells how far it is; ask for the conversation to see how it ended."""

    id: str
    state: Literal["pending"] = "pending"


class Noted(Shape):
    noted: bool = Field(description="false when there was nothing to note")
