"""Schedules in which people call, write, pay and say who they are: in any order, with processes that die in between."""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors.doors import Inbound
from jobs.config.loading import Settings
from store.inbox_tables import t_inbox_request
from store.spool import SpoolUnavailable
from store.tables import t_audit_entry, t_call, t_event, t_identity, t_lead, t_person
from store.ties import TIED
from tests.simulate.schedule import CONFIG, CRM_OF, Report, Schedule, play_seed
from tests.simulate.world import Killed, Life
from tests.support.crm_views import note_comments

WITH_DOORS = CONFIG.replace(
    "c: {{type: webform}}}}",
    "c: {{type: webform}}, pbx: {{type: asterisk}}, tg: {{type: telegram, url_token: t-1}}, shop: {{type: yookassa}}}}",
).replace("alerts:\n", "  - {{from: [pbx], to: [amo, b24]}}\n  - {{from: [tg], to: [b24, hs]}}\nalerts:\n")
assert "telegram, url" in WITH_DOORS
assert "[pbx]" in WITH_DOORS


def run_seed(seed: int, settings: Settings, template: Path) -> Report:
    """Plays one schedule from its seed to its end."""
    return play_seed(seed, settings, template, DoorSchedule)


class DoorSchedule(Schedule):
    """`events`: (source, subject) -> what was accepted of it, once for each event. `shared`: chat -> its phone.

    `said`: what was accepted of what people wrote; `paid`: what was paid for or given back -> the payer's phone."""

    def __init__(self, world: Any, seed: int) -> None:
        super().__init__(world, seed)
        self.events: dict[tuple[str, str], set[str]] = {}
        self.shared: dict[str, str] = {}
        self.said: list[str] = []
        self.paid: dict[str, str] = {}

    async def _send_all(self, number: int) -> None:
        match number % 4:
            case 0:
                await self._call(number)
            case 1:
                await self._write(number)
            case 3:
                await self._pay(number)
            case _:
                await super()._send_all(number)

    async def _call(self, number: int) -> None:
        """Calls of people who send forms as well; each event is sent on its own, as a PBX does."""
        rng = self.rng
        for count in range(rng.randint(1, 4)):
            await self._pause()
            call_id = f"{number}.{count}"
            story = _story(rng, call_id, f"7916000000{rng.randint(0, 4)}")
            if rng.random() < 0.4:
                rng.shuffle(story)
            for event in story:
                for _ in range(1 if rng.random() < 0.8 else 2):
                    await self._deliver("pbx", f"call:{call_id}", event["event"], urlencode(event).encode())
                if rng.random() < 0.5:
                    await self._pause()

    async def _write(self, number: int) -> None:
        rng = self.rng
        chat = 5_210_000 + number
        messages = rng.randint(1, 5)
        shares = rng.randint(0, 9)
        for count in range(messages):
            await self._pause()
            who = {"id": chat, "is_bot": False, "first_name": f"Person {number}"}
            told = {"message_id": 100 + count, "from": who, "chat": {"id": chat, "type": "private"}}
            told["date"] = int(self.world.clock.now().timestamp())
            if 0 < count == shares:  # somebody who calls and sends forms as well
                phone = f"7916000000{number % 5}"
                self.shared[str(chat)] = f"+{phone}"
                told["contact"] = {"phone_number": phone, "first_name": f"Person {number}", "user_id": chat}
            else:
                told["text"] = f"enquiry {number}.{count}"
            body = json.dumps({"update_id": number * 100 + count, "message": told}).encode()
            for _ in range(1 if rng.random() < 0.7 else 2):
                await self._deliver("tg", f"chat:{chat}", str(100 + count), body)
            if said := told.get("text"):
                self.said.append(said)

    async def _pay(self, number: int) -> None:
        """Payments of people who call and send forms as well, and now and then a refund, in any order."""
        rng = self.rng
        for count in range(rng.randint(1, 3)):
            await self._pause()
            phone = f"7916000000{rng.randint(0, 4)}"
            story = [
                ("payment.succeeded", {"id": f"p-{number}.{count}", "metadata": {"phone": f"+{phone}"}}, 2 * count)
            ]
            if rng.random() < 0.4:
                refund = {"id": f"r-{number}.{count}", "payment_id": f"p-{number}.{count}"}
                story.append(("refund.succeeded", refund, 2 * count + 1))
            if rng.random() < 0.3:
                story.reverse()
            for event, about, place in story:
                said = f"enquiry {number}.{place}"
                amount = {"value": f"{100 + count}.00", "currency": "RUB"}
                thing = {**about, "status": "succeeded", "amount": amount, "description": said}
                body = json.dumps({"type": "notification", "event": event, "object": thing}).encode()
                for _ in range(1 if rng.random() < 0.7 else 2):
                    await self._until_taken("shop", body)
                self.paid[said] = phone

    async def _pause(self) -> None:
        await self.world.clock.sleep(self.rng.choice([0.0, 0.05, 1.0, 20.0, 100.0]) * self.rng.random())

    async def _deliver(self, source: str, subject: str, event: str, body: bytes) -> None:
        await self._until_taken(source, body)
        known = self.events.setdefault((source, subject), set())
        if event in known:
            self.report.duplicates_sent += 1
        elif not known:
            self.accepted[subject] = {"source": source, "phone": "", "lead_id": ""}
            self.report.accepted += 1
        known.add(event)

    async def _until_taken(self, source: str, body: bytes) -> None:
        """As a careful vendor does: again until the answer is below 300."""
        while True:
            answer = await self._in_process(self._handed, source, body)
            if answer is not None and answer < 300:
                return
            await self.world.clock.sleep(self.rng.uniform(0.5, 3.0))

    async def _handed(self, life: Life, source: str, body: bytes) -> int:
        assert life.hub is not None
        await life.step()
        found = life.hub.intake.source(source)
        assert found is not None
        form = source == "pbx"
        inbound = Inbound(
            method="POST",
            path_tail="t-1" if source == "tg" else "",
            query=[],
            headers={"content-type": "application/x-www-form-urlencoded" if form else "application/json"},
            body=body,
            remote_ip="203.0.113.7",
            received_at=self.world.clock.now(),
        )
        try:
            reply = await life.hub.intake.receive(found, inbound)
        except SpoolUnavailable:
            return 503
        except Killed:
            raise asyncio.CancelledError from None
        await life.step()
        return reply.status

    def _is_quiet(self) -> bool:
        """A call whose end was never told is waited for: by two hours, and by an hour more after a wrong clock."""
        return super()._is_quiet() and not self.world.count("call WHERE lead_id = ''")

    def _check_order(self, deliveries: list[Any], leads: dict[str, Any]) -> None:
        """Who turned out to be one was several before: then what was under way is not called back."""
        ties = {row.data["lead"] for row in self._rows(t_audit_entry) if row.action == TIED}
        tied = [row for row in deliveries if row.lead_id in ties]
        persons = {leads[lead_id].person_id for lead_id in ties}
        since: dict[tuple[str, str], int] = {}
        for row in tied:
            key = (row.lane, row.connection)
            since[key] = max(since.get(key, 0), row.place)
        kept = [
            row
            for row in deliveries
            if row.lane not in persons or row.place > since.get((row.lane, row.connection), row.place)
        ]
        super()._check_order(kept, leads)

    def _check_persons(self) -> None:
        whose = {(row.kind, row.value): row.person_id for row in self._rows(t_identity)}
        for chat, phone in self.shared.items():
            if whose["messenger:telegram", chat] != whose["phone", phone]:
                self.report.problems.append(f"who writes in {chat} is not who has {phone}")
        for row in self._rows(t_person):
            if row.merged_into and row.id in whose.values():
                self.report.problems.append(f"{row.id} became {row.merged_into} and has keys")

    def _check_payments(self) -> None:
        """Each stands once on a deal of who paid, if he ever asked for anything."""
        phones = {phone[1:] for row in self._rows(t_lead) for phone in row.phones}
        told = [Counter(note_comments(self.world.vendors[vendor])) for vendor in CRM_OF.values()]
        for said, phone in self.paid.items():
            times = [one[said] for one in told if one[said]]
            if set(times) - {1} or (phone in phones and not times):
                self.report.problems.append(f"what +{phone} paid, {said}, has {times} notes")

    def _check(self) -> None:
        super()._check()
        self._check_persons()
        problems = self.report.problems
        left = self._rows(t_inbox_request)
        if left:
            problems.append(f"{len(left)} accepted events are not worked on: {left[0].last_error}")
        for connection in ("b24", "hs"):
            told = Counter(note_comments(self.world.vendors[CRM_OF[connection]]))
            problems += [f"{said} in {connection}: {told[said]} notes" for said in self.said if told[said] != 1]
        self._check_payments()
        stored: dict[tuple[str, str], int] = {}
        for row in self._rows(t_event):
            prefix = "call" if row.kind == "call" else "chat"
            key = (row.source, f"{prefix}:{row.key}")
            stored[key] = stored.get(key, 0) + 1
        for key, told in self.events.items():
            if stored.get(key, 0) != len(told):
                problems.append(f"{len(told)} events of {key} were accepted, {stored.get(key, 0)} are stored")
        for call in self._rows(t_call):
            if not call.lead_id:
                problems.append(f"the call {call.key} made no lead")


def _story(rng: random.Random, call_id: str, caller: str) -> list[dict[str, str]]:
    base = {"linkedid": call_id, "uniqueid": call_id, "direction": "in", "caller": caller, "did": "74951112233"}
    story = [{**base, "event": "start"}]
    talked = rng.random() < 0.6
    if talked:
        story.append({**base, "event": "answer", "extension": "101"})
    end = {"disposition": "ANSWERED" if talked else "NO ANSWER", "duration": "60", "billsec": "50" if talked else "0"}
    if rng.random() < 0.85 or not story[1:]:
        story.append({**base, "event": "hangup", "extension": "101" if talked else "", **end})
    return story
