"""The box as it is read: letters once, marked when they are stored, whatever is cut."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.doors import ParsedLead
from connectors.errors import AuthError, RetryableError
from connectors.imap import SOURCE
from connectors.imap.session import mailbox_name, opened
from connectors.links import LinkOpening, Listens, Lists
from tests.support.mailbox import PASSWORD, Mailbox, mailbox
from tests.support.manual_clock import ManualClock

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def letter(number: int) -> str:
    return (
        f"From: =?utf-8?b?0JjQstCw0L0=?= <ivan{number}@example.com>\nTo: box@example.ru\nSubject: Windows\n"
        f"Message-ID: <m{number}@example.com>\nContent-Type: text/plain; charset=utf-8\n\nХочу три окна\n"
    )


def link(box: Mailbox, **more: Any) -> Any:
    given = {"host": "127.0.0.1", "port": box.port, "user": "box@example.ru", "password": PASSWORD, "tls": False}
    settings = SOURCE.settings.model_validate({**given, **more})
    assert SOURCE.link is not None
    return SOURCE.link(LinkOpening("mail", settings, ManualClock(NOW), "RU"))


async def leads(made: Any, count: int) -> list[ParsedLead]:
    """The first letters that are heard; the last of them is not confirmed."""
    found: list[ParsedLead] = []
    async with asyncio.timeout(60), aclosing(made.listen()) as heard:
        async for parsed in heard:
            found += parsed.leads
            if len(found) == count:
                break
    return found


async def test_letters_are_leads_and_marked_only_when_the_next_is_asked_for() -> None:
    async with mailbox() as box:
        for number in (1, 2, 3):
            box.receive(letter(number))
        made = link(box)
        assert isinstance(made, Listens)
        found = await leads(made, 3)
        assert [lead.lead_uid for lead in found] == ["m1@example.com", "m2@example.com", "m3@example.com"]
        assert found[0].emails == ("ivan1@example.com",)
        assert box.marked("LeadhubTaken") == [1, 2]
        assert box.marked("\\Seen") == []
        assert made.trouble == ""
        (again,) = await leads(link(box), 1)
        assert again.lead_uid == "m3@example.com"


async def test_where_no_keyword_is_taken_a_stored_letter_is_marked_as_read() -> None:
    async with mailbox(keywords=False) as box:
        box.receive(letter(1))
        box.receive(letter(2))
        await leads(link(box), 2)
        assert box.marked("\\Seen") == [1]


async def test_a_letter_that_comes_later_is_heard_at_once() -> None:
    async with mailbox() as box:
        box.receive(letter(1))
        made = link(box)

        async def send() -> None:
            while not box.marked("LeadhubTaken"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            box.receive(letter(2))

        sending = asyncio.ensure_future(send())
        found = await leads(made, 2)
        await sending
        assert found[1].lead_uid == "m2@example.com"
        assert box.logins == 1


async def test_a_server_without_idle_is_asked_again() -> None:
    async with mailbox(idles=False) as box:
        box.receive(letter(1))
        made = link(box)

        async def send() -> None:
            while not box.marked("LeadhubTaken"):
                await asyncio.sleep(0.01)
            box.receive(letter(2))

        sending = asyncio.ensure_future(send())
        assert len(await leads(made, 2)) == 2
        await sending


async def test_a_cut_connection_costs_no_letter() -> None:
    async with mailbox(cut_after=1) as box:
        box.receive(letter(1))
        box.receive(letter(2))
        made = link(box)
        found = await leads(made, 2)
        assert [lead.lead_uid for lead in found] == ["m1@example.com", "m2@example.com"]
        assert box.logins == 2


async def test_a_refused_login_is_trouble_that_names_no_password() -> None:
    async with mailbox() as box:
        made = link(box, password="wrong")
        with pytest.raises(AuthError) as caught:
            async with opened(made._settings):
                pass
        assert "wrong" not in str(caught.value)


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with mailbox() as box:
        pass
    with pytest.raises(RetryableError):
        async with opened(link(box)._settings):
            pass


async def test_the_list_tells_of_letters_that_others_have_read_and_fetches_each_once() -> None:
    async with mailbox() as box:
        box.receive(letter(1))
        box.flags[1] = {"\\Seen", "LeadhubTaken"}
        made = link(box)
        assert isinstance(made, Lists)
        day = (NOW - timedelta(days=1), NOW - timedelta(minutes=3))
        first = [parsed async for parsed in made.history(*day)]
        assert [lead.lead_uid for parsed in first for lead in parsed.leads] == ["m1@example.com"]
        assert [parsed async for parsed in made.history(*day)] == []


async def test_a_letter_that_has_just_come_is_left_to_the_listener() -> None:
    async with mailbox() as box:
        box.receive(letter(1))  # at 10:00
        early = datetime(2026, 1, 5, 9, 59, tzinfo=UTC)
        assert [one async for one in link(box).history(early - timedelta(days=1), early)] == []


@pytest.mark.parametrize(("folder", "name"), [("INBOX", b"INBOX"), ("R&D", b"R&-D"), ("Заявки", b"&BBcEMARPBDIEOgQ4-")])
def test_folders_are_named_as_the_protocol_wants_it(folder: str, name: bytes) -> None:
    assert mailbox_name(folder) == name
