"""What is said in conversations: the enquiry it begins with, the note that is due, the answer by itself."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert

from connectors.conversing import AutoReply, TalkSettings
from connectors.events import ParsedLead, ParsedMessage
from leads import attribution
from leads.clock import Clock
from leads.conversations import Attachment, MessageEvent
from leads.hours import Schedule, open_at, schedule_of
from leads.ids import new_id
from leads.records import Lead, Touch
from mappings.expressions import ExpressionError, compile_value
from mappings.values import text_of
from mappings.views import Facts, Hub, Named, variables
from store import conversations, outgoing
from store.conversations import Talk
from store.tables import t_touch

log = logging.getLogger(__name__)

ANSWERED_WITHIN = timedelta(minutes=15)
"""What reaches us later than this (spool, a vendor's repeats, a list read afterwards) is not answered by itself."""
MESSAGE = TypeAdapter(ParsedMessage)


@dataclass(frozen=True, slots=True)
class TalkRules:
    """What a source says of its conversations."""

    quiet: timedelta = timedelta(minutes=2)
    quiet_most: timedelta = timedelta(minutes=15)
    auto_reply: AutoReply | None = None
    schedule: Schedule | None = None
    about: Named = field(default_factory=Named)
    hub: Hub = field(default_factory=Hub)


NO_RULES = TalkRules()


def rules_of(settings: Any, about: Named, hub: Hub) -> TalkRules | None:
    """None for a source that has no conversations."""
    if not isinstance(settings, TalkSettings):
        return None
    reply = settings.auto_reply
    schedule = schedule_of(reply.hours, hub.timezone) if reply and reply.hours else None
    quiet, most = timedelta(seconds=settings.quiet), timedelta(seconds=settings.quiet_most)
    return TalkRules(quiet, max(quiet, most), reply, schedule, about, hub)


def talks_by_source(settings: Mapping[str, Any], about: Mapping[str, Named], hub: Hub) -> dict[str, TalkRules]:
    """Of those sources that have conversations."""
    found = {name: rules_of(one, about[name], hub) for name, one in settings.items()}
    return {name: rules for name, rules in found.items() if rules is not None}


@dataclass(frozen=True, slots=True)
class Said:
    """One message just taken in. `told`: the lead that it made says all of it."""

    talk: Talk
    message: ParsedMessage
    received_at: datetime
    lead_id: str
    told: bool


class TalkKeeper:
    """Works inside a transaction that its caller holds."""

    def __init__(self, clock: Clock, rules: Mapping[str, TalkRules]) -> None:
        self._clock = clock
        self._rules = rules

    def said(self, conn: Connection, said: Said) -> bool:
        """The conversation after one more message: whose it is, when it is to be noted, whether it is answered.

        True when an answer is due.
        """
        talk, message, now = said.talk, said.message, self._clock.now()
        client = message.author == "client"
        client_at = (message.at or said.received_at) if client and not message.change else None
        changes = conversations.heard(talk, now, client_at)
        if talk.lead_id:
            self._remember(conn, talk, message)
        if said.lead_id and not talk.lead_id:
            told = [event_of(message, said.received_at).key] if said.told else []
            changes |= conversations.belongs_to(conn, talk, said.lead_id, told)
        alone = said.told and talk.unnoted_since is None
        if message.author != "bot" and not alone:
            changes |= self._note_later(talk, said.lead_id or talk.lead_id, now)
        conversations.change(conn, talk, changes)
        if client_at is None or not said.lead_id or talk.auto_replied_at is not None:
            return False
        return self._answer(conn, said, client_at, now)

    def _note_later(self, talk: Talk, lead_id: str, now: datetime) -> dict[str, Any]:
        rules = self._rules.get(talk.source, NO_RULES)
        since = min(talk.unnoted_since or now, now)
        if not lead_id:  # nobody wrote to us yet: there is no deal to note it on
            return conversations.note_later(since=since, due_at=None)
        return conversations.note_later(since=since, due_at=min(now + rules.quiet, since + rules.quiet_most))

    def _answer(self, conn: Connection, said: Said, client_at: datetime, now: datetime) -> bool:
        rules = self._rules.get(said.talk.source, NO_RULES)
        if rules.auto_reply is None or abs(now - client_at) > ANSWERED_WITHIN:
            return False
        conversations.change(conn, said.talk, {"auto_replied_at": now})
        template = rules.auto_reply.text if open_at(rules.schedule, now) else rules.auto_reply.out_of_hours
        text = self._rendered(template, said, rules, now) if template else ""
        if text:
            outgoing.add(
                conn, said.talk.id, said.talk.source, "auto", text, author="", request_key="auto", clock=self._clock
            )
        return bool(text)

    @staticmethod
    def _rendered(template: str, said: Said, rules: TalkRules, now: datetime) -> str:
        """ "" when the template fails on this message: a person is answered by people then."""
        parsed = said.message.lead or ParsedLead()
        lead = Lead(
            id=said.lead_id,
            source=said.talk.source,
            received_at=said.received_at,
            name=parsed.name,
            phones=parsed.phones,
            emails=parsed.emails,
            messengers=parsed.messengers,
            comment=said.message.text,
            utm=parsed.utm,
            extra=parsed.extra,
        )
        facts = Facts(lead=lead, now=now, hub=rules.hub, source=rules.about, last_touch=parsed.touch)
        try:
            return text_of(compile_value(template)(variables(facts))).strip()
        except ExpressionError as error:
            log.warning(
                "auto-reply not sent",
                extra={"event": "talk.auto_reply_failed", "source": said.talk.source, "error": str(error)},
            )
            return ""

    # --- touches without a word ---------------------------------------------------------------------------

    def opened(self, conn: Connection, source: str, message: ParsedMessage) -> None:
        """The chat was merely opened by a link: one more touch of a person we know; of another kept until he writes."""
        talk = conversations.find_talk(conn, source, message.chat_id)
        if talk is not None:
            self._remember(conn, talk, message)

    def _remember(self, conn: Connection, talk: Talk, message: ParsedMessage) -> None:
        """A link or an ad by which somebody came who is known already."""
        touch = message.lead.touch if message.lead else None
        if not talk.person_id or touch is None or not _tells(touch):
            return
        touch = replace(touch, source=talk.source)
        conn.execute(
            insert(t_touch).values(
                id=new_id(self._clock),
                person_id=talk.person_id,
                lead_id=talk.lead_id,
                at=touch.at,
                data=attribution.touch_to_json(touch),
            )
        )

    def with_touches(self, conn: Connection, source: str, chat_id: str, lead: ParsedLead) -> ParsedLead:
        """The first enquiry of a chat, with what the openings before it told: a link or an ad that he came by."""
        before = [
            one.lead.touch
            for data in conversations.said_before(conn, source, chat_id)
            if (one := MESSAGE.validate_python(data)).is_touch_only and one.lead and one.lead.touch
        ]
        telling = [touch for touch in before if _tells(touch)]
        if not telling:
            return lead
        first, last = telling[0], telling[-1]
        touch = lead.touch if lead.touch and _tells(lead.touch) else replace(last, at=(lead.touch or last).at)
        return replace(
            lead,
            touch=touch,
            browser_first_touch=lead.browser_first_touch or replace(first, source=source),
            utm=lead.utm or dict(touch.utm),
            click_ids=lead.click_ids or dict(touch.click_ids),
        )


def _tells(touch: Touch) -> bool:
    return bool(touch.utm or touch.click_ids or touch.referrer)


def event_of(message: ParsedMessage, received_at: datetime) -> MessageEvent:
    """As notes are made of it. A vendor without times: when it came."""
    media = tuple(Attachment(one.kind, one.url, one.id, one.name) for one in message.media)
    return MessageEvent(
        message_id=message.message_id,
        at=message.at or received_at,
        author=message.author,
        text=message.text,
        media=media,
        change=message.change,
        author_name=message.author_name,
    )
