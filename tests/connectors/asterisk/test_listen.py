"""The listener against a PBX on loopback that logs in, cuts, refuses and falls silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from connectors.asterisk import listen as listening
from connectors.asterisk.listen import Connected, Heard, Lost, listen
from connectors.asterisk.settings import AsteriskSettings
from connectors.errors import AuthError, RetryableError
from connectors.events import ParsedCall
from tests.support.calldoors import SAMPLES
from tests.support.manual_clock import ManualClock

ANSWERED = (SAMPLES / "asterisk/in-answered.ami").read_bytes()
SECRET = "fake-ami-secret"
Serve = Callable[["Session"], Awaitable[None]]


class Session:
    """One connection, on the PBX's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader, self.writer, self.number = reader, writer, number

    async def command(self) -> dict[str, str]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        return dict(line.split(": ", 1) for line in text.strip().split("\r\n"))

    async def log_in(self, early: bytes = b"") -> None:
        """Any other name or secret is refused, as a PBX does."""
        self.send(b"Asterisk Call Manager/7.0.3\r\n")
        login = await self.command()
        fine = (login["Action"], login["Username"], login["Secret"]) == ("Login", "hub", SECRET)
        word = b"Success" if fine else b"Error"
        self.send(early + b"Response: " + word + b"\r\nActionID: " + login["ActionID"].encode() + b"\r\n\r\n")

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def wait_for_the_end(self) -> None:
        while await self.reader.read(1000):
            pass


@asynccontextmanager
async def pbx(serve: Serve) -> AsyncIterator[int]:
    """A PBX that serves each connection so; its port."""
    count = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        try:
            await serve(Session(reader, writer, count))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def settings_for(port: int, secret: str = SECRET) -> AsteriskSettings:
    ami = {"host": "127.0.0.1", "port": port, "username": "hub", "secret": secret}
    return AsteriskSettings.model_validate({"ami": ami})


async def first(count: int, settings: AsteriskSettings, clock: ManualClock) -> list[Heard]:
    """The first things heard; then the listener is stopped."""
    heard: list[Heard] = []
    async with asyncio.timeout(60), aclosing(listen(settings, clock, "RU")) as events:
        async for one in events:
            heard.append(one)
            if len(heard) == count:
                break
    return heard


async def test_a_call_is_heard_from_its_ring_to_its_cdr() -> None:
    async def serve(session: Session) -> None:
        await session.log_in()
        for at in range(0, len(ANSWERED), 100):
            session.send(ANSWERED[at : at + 100])
            await session.writer.drain()
        await session.wait_for_the_end()

    async with pbx(serve) as port:
        connected, *told = await first(6, settings_for(port), ManualClock())
    assert connected == Connected()
    calls = [one for one in told if isinstance(one, ParsedCall)]
    assert [made.event for made in calls] == ["Newchannel", "DialBegin", "DialEnd", "Hangup", "Cdr"]
    assert (calls[-1].disposition, calls[-1].talk_s, calls[-1].client) == ("answered", 60, "+79990001010")


async def test_events_before_the_answer_to_the_login_are_not_lost() -> None:
    async def serve(session: Session) -> None:
        await session.log_in(early=ANSWERED.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        await session.wait_for_the_end()

    async with pbx(serve) as port:
        connected, told = await first(2, settings_for(port), ManualClock())
    assert connected == Connected()
    assert isinstance(told, ParsedCall)
    assert told.event == "Newchannel"


async def test_a_cut_connection_is_made_again_and_the_call_in_between_is_read_from_its_cdr() -> None:
    newchannel, _, rest = ANSWERED.partition(b"\r\n\r\n")
    cdr = b"Event: Cdr" + rest.partition(b"Event: Cdr")[2]

    async def serve(session: Session) -> None:
        await session.log_in()
        if session.number == 1:
            session.send(newchannel + b"\r\n\r\n")
            return
        session.send(cdr)
        await session.wait_for_the_end()

    clock = ManualClock()
    async with pbx(serve) as port:
        heard = await first(5, settings_for(port), clock)
    assert [type(one) for one in heard] == [Connected, ParsedCall, Lost, Connected, ParsedCall]
    lost, last = heard[2], heard[4]
    assert isinstance(lost, Lost)
    assert isinstance(lost.error, RetryableError)
    assert clock.slept == [lost.wait_s]
    assert 0.75 <= lost.wait_s <= 1
    assert isinstance(last, ParsedCall)
    assert (last.event, last.disposition, last.extension) == ("Cdr", "answered", "101")


async def test_each_failure_in_a_row_waits_longer_and_a_minute_is_the_longest() -> None:
    async with pbx(lambda session: asyncio.sleep(0)) as port:
        pass  # nobody listens there any more
    clock = ManualClock()
    heard = await first(10, settings_for(port), clock)
    waits = [one.wait_s for one in heard if isinstance(one, Lost)]
    assert len(waits) == 10
    for wait_s, full in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60], strict=True):
        assert full * 0.75 <= wait_s <= full


async def test_a_login_that_succeeds_makes_the_waits_short_again() -> None:
    async def serve(session: Session) -> None:
        if session.number in (4, 5):
            await session.log_in()

    clock = ManualClock()
    async with pbx(serve) as port:
        heard = await first(7, settings_for(port), clock)
    assert [type(one) for one in heard] == [Lost, Lost, Lost, Connected, Lost, Connected, Lost]
    waits = [one.wait_s for one in heard if isinstance(one, Lost)]
    assert waits[2] > 2
    assert waits[3] <= 1
    assert waits[4] <= 1


async def test_a_refused_login_is_told_as_such_without_the_secret_and_tried_once_a_minute() -> None:
    async def serve(session: Session) -> None:
        await session.log_in()
        await session.wait_for_the_end()

    clock = ManualClock()
    async with pbx(serve) as port:
        heard = await first(2, settings_for(port, secret="another-secret"), clock)
    for lost in heard:
        assert isinstance(lost, Lost)
        assert isinstance(lost.error, AuthError)
        assert "another-secret" not in repr(lost)
        assert 45 <= lost.wait_s <= 60


async def test_a_silent_pbx_is_asked_and_one_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "QUIET_S", 0.05)
    asked = []

    async def serve(session: Session) -> None:
        await session.log_in()
        for _ in range(3):
            asked.append((await session.command())["Action"])
            session.send(b"Response: Success\r\nPing: Pong\r\n\r\n")
        session.send(ANSWERED)
        await session.wait_for_the_end()

    async with pbx(serve) as port:
        heard = await first(2, settings_for(port), ManualClock())
    assert asked == ["Ping"] * 3
    assert isinstance(heard[1], ParsedCall)


async def test_a_pbx_that_does_not_answer_is_left_and_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "QUIET_S", 0.05)
    monkeypatch.setattr(listening, "ANSWER_S", 0.05)

    async def serve(session: Session) -> None:
        await session.log_in()
        await session.wait_for_the_end()

    async with pbx(serve) as port:
        heard = await first(3, settings_for(port), ManualClock())
    assert [type(one) for one in heard] == [Connected, Lost, Connected]


async def test_a_pbx_that_never_answers_the_login_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LOGIN_S", 0.05)

    async with pbx(Session.wait_for_the_end) as port:
        (lost,) = await first(1, settings_for(port), ManualClock())
    assert isinstance(lost, Lost)
    assert isinstance(lost.error, RetryableError)


async def test_a_stopped_listener_hangs_up() -> None:
    gone = asyncio.Event()

    async def serve(session: Session) -> None:
        await session.log_in()
        await session.wait_for_the_end()
        gone.set()

    async with pbx(serve) as port:
        await first(1, settings_for(port), ManualClock())
        async with asyncio.timeout(60):
            await gone.wait()


async def test_without_settings_of_the_interface_there_is_nothing_to_listen_to() -> None:
    with pytest.raises(ValueError, match="no ami settings"):
        await anext(listen(AsteriskSettings(), ManualClock(), "RU"))


async def test_a_host_that_cannot_be_a_name_is_a_failure_like_others() -> None:
    ami = {"host": "a" * 70 + ".example.test", "username": "hub", "secret": SECRET}
    (lost,) = await first(1, AsteriskSettings.model_validate({"ami": ami}), ManualClock())
    assert isinstance(lost, Lost)
