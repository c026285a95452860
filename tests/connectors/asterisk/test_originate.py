"""Calls ordered at a PBX on loopback: what it is told, what it says, and a connection that goes away in between."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import ValidationError

from connectors.asterisk import SOURCE, AmiSettings
from connectors.asterisk import originate as originating
from connectors.asterisk.originate import originate
from connectors.errors import AuthError, PermanentError, RetryableError, TooEarlyError, UnknownOutcomeError
from connectors.http import MAY_WRITE
from connectors.links import Dials, LinkOpening
from tests.connectors.asterisk.test_listen import SECRET, Session, pbx
from tests.support.manual_clock import ManualClock

QUEUED = b"Response: Success\r\nActionID: key-1\r\nMessage: Originate successfully queued\r\n\r\n"
NOISE = b"Event: Newchannel\r\nUniqueid: key-1\r\n\r\n"
NOISE += b"Event: OriginateResponse\r\nActionID: other\r\nResponse: Failure\r\n\r\n"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(originating, "ANSWER_S", 0.5)
    monkeypatch.setattr(originating, "EARLY_S", 0.2)


def ami(port: int, **more: str) -> AmiSettings:
    settings = {"host": "127.0.0.1", "port": port, "username": "hub", "secret": SECRET, **more}
    return AmiSettings.model_validate(settings)


def response(word: str, reason: str = "4") -> bytes:
    text = f"Event: OriginateResponse\r\nActionID: key-1\r\nResponse: {word}\r\nReason: {reason}\r\n\r\n"
    return text.encode()


def answering(*answers: bytes, early: bytes = b"") -> tuple[list[dict[str, str]], Callable[[Session], Awaitable[None]]]:
    """Commands that came, and a PBX that answers the first with these bytes, one after the other."""
    commands: list[dict[str, str]] = []

    async def serve(session: Session) -> None:
        await session.log_in(early)
        commands.append(await session.command())
        for answer in answers:
            session.send(answer)
            await asyncio.sleep(0.01)
        await session.wait_for_the_end()

    return commands, serve


async def test_the_colleagues_phone_is_rung_and_then_the_client_dialled() -> None:
    commands, serve = answering(NOISE + QUEUED)
    async with pbx(serve) as port:
        assert await originate(ami(port), "101", "+79990001122", "key-1") == "key-1"
    assert commands == [
        {
            "Action": "Originate",
            "ActionID": "key-1",
            "ChannelId": "key-1",
            "Channel": "PJSIP/101",
            "Context": "from-internal",
            "Exten": "79990001122",
            "Priority": "1",
            "CallerID": "101",
            "Timeout": "30000",
            "Async": "true",
            "Variable": "LEADHUB_KEY=key-1",
        }
    ]


async def test_the_plan_of_the_pbx_is_set() -> None:
    commands, serve = answering(QUEUED, response("Success"))
    plan = {"originate_channel": "SIP/{extension}", "originate_context": "crm", "originate_prefix": "9"}
    async with pbx(serve) as port:
        await originate(ami(port, **plan, originate_caller_id="74950000101"), "101", "+79990001122", "key-1")
    (command,) = commands
    told = (command["Channel"], command["Context"], command["Exten"], command["CallerID"])
    assert told == ("SIP/101", "crm", "979990001122", "74950000101")


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ((QUEUED, response("Failure", "0")), PermanentError, "not registered"),
        ((QUEUED + response("Failure", "5"),), PermanentError, "busy"),
        ((QUEUED, NOISE, response("Failure", "8")), PermanentError, "cannot be reached"),
        (
            (b"Response: Error\r\nActionID: key-1\r\nMessage: Extension does not exist.\r\n\r\n",),
            PermanentError,
            "does not exist",
        ),
        (
            (b"Response: Error\r\nActionID: key-1\r\nMessage: Permission denied\r\n\r\n",),
            AuthError,
            "write = originate",
        ),
        ((b"",), UnknownOutcomeError, "TimeoutError"),
    ],
)
async def test_a_call_that_is_not_made_says_why(answers: tuple[bytes, ...], error: type[Exception], words: str) -> None:
    commands, serve = answering(*answers)
    async with pbx(serve) as port:
        with pytest.raises(error, match=words):
            await originate(ami(port), "101", "+79990001122", "key-1")
    assert len(commands) == 1


async def test_a_connection_that_goes_after_the_command_leaves_the_outcome_unknown() -> None:
    async def serve(session: Session) -> None:
        await session.log_in()
        await session.command()

    async with pbx(serve) as port:
        with pytest.raises(UnknownOutcomeError):
            await originate(ami(port), "101", "+79990001122", "key-1")


async def test_a_call_that_was_queued_stays_ordered_when_the_connection_goes() -> None:
    async def serve(session: Session) -> None:
        await session.log_in()
        await session.command()
        session.send(QUEUED)
        await session.writer.drain()

    async with pbx(serve) as port:
        assert await originate(ami(port), "101", "+79990001122", "key-1") == "key-1"


async def test_nothing_is_sent_before_the_login() -> None:
    async def cut(session: Session) -> None:
        session.send(b"Asterisk Call Manager/7.0.3\r\n")
        await session.command()

    async with pbx(cut) as port:
        with pytest.raises(RetryableError):
            await originate(ami(port), "101", "+79990001122", "key-1")
    with pytest.raises(RetryableError):
        await originate(ami(9), "101", "+79990001122", "key-1")
    commands, serve = answering(QUEUED)
    async with pbx(serve) as port:
        with pytest.raises(AuthError):
            await originate(ami(port, secret="another"), "101", "+79990001122", "key-1")
    assert commands == []


async def test_a_process_that_lost_the_source_orders_nothing() -> None:
    commands, serve = answering(QUEUED)
    token = MAY_WRITE.set(lambda: False)
    try:
        async with pbx(serve) as port:
            with pytest.raises(TooEarlyError):
                await originate(ami(port), "101", "+79990001122", "key-1")
    finally:
        MAY_WRITE.reset(token)
    assert commands == []


@pytest.mark.parametrize(
    ("extension", "phone"),
    [
        ("101&PJSIP/102", "+79990001122"),
        ("101\r\nAction: Command", "+7999"),
        ("", "+7999"),
        ("101", "7999,1"),
        ("101", ""),
    ],
)
async def test_what_no_pbx_could_call_is_not_sent(extension: str, phone: str) -> None:
    with pytest.raises(PermanentError, match="none that a PBX could call"):
        await originate(ami(9), extension, phone, "key-1")


@pytest.mark.parametrize(
    "setting",
    [{"originate_channel": "PJSIP/101"}, {"originate_context": "a\r\nAction: x"}, {"originate_prefix": "9\n"}],
)
def test_settings_cannot_smuggle_a_command(setting: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ami(5038, **setting)


async def test_the_link_calls_where_there_is_a_manager_interface() -> None:
    assert SOURCE.link is not None
    assert SOURCE.link(LinkOpening("pbx", SOURCE.settings(), ManualClock())) is None
    commands, serve = answering(QUEUED)
    async with pbx(serve) as port:
        link = SOURCE.link(LinkOpening("pbx", SOURCE.settings.model_validate({"ami": ami(port)}), ManualClock()))
        assert isinstance(link, Dials)
        assert await link.dial("101", "+79990001122", "key-1") == "key-1"
        await link.close()
    assert len(commands) == 1
