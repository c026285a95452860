"""Events of channels -> events of calls: who talked with whom, whatever menus and queues answered in between."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.asterisk.ami import AmiParser, Block
from connectors.asterisk.ari import block_of
from connectors.asterisk.channels import Peer, began_at, peer_of
from connectors.asterisk.fold import MAX_CALLS, CallsOfChannels
from connectors.asterisk.settings import AsteriskSettings
from connectors.events import ParsedCall
from leads.calls import Call, CallEvent, call_of
from tests.support.calldoors import SAMPLES

START = datetime(2026, 1, 5, 21, 0, tzinfo=UTC)
UID, LEG = "1767646800.10", "1767646800.11"


def blocks_of(name: str) -> list[Block]:
    return AmiParser().feed((SAMPLES / "asterisk" / name).read_bytes())


class Pbx:
    """A fold with a clock: what it told so far."""

    def __init__(self, **settings: object) -> None:
        self.fold = CallsOfChannels(AsteriskSettings.model_validate(settings), "RU")
        self.now = START
        self.told: list[ParsedCall] = []

    def event(self, name: str, after_s: float = 0, /, **fields: str) -> ParsedCall | None:
        self.now += timedelta(seconds=after_s)
        block = {"event": name, **{key.lower().replace("_", "-"): value for key, value in fields.items()}}
        return self.take({"uniqueid": UID, "linkedid": UID, **block})

    def take(self, block: Block) -> ParsedCall | None:
        made = self.fold.take(block, self.now)
        if made is not None:
            self.told.append(made)
        return made

    def call(self) -> Call:
        names = CallEvent.__dataclass_fields__
        return call_of(CallEvent(**{name: getattr(made, name) for name in names}) for made in self.told)

    # the usual beginnings and ends

    def incoming(self, **more: str) -> None:
        self.event("Newchannel", Channel="PJSIP/trunk-0a", CallerIDNum="79990001010", Exten="74950000909", **more)

    def outgoing(self, dialled: str = "79990001010") -> None:
        self.event("Newchannel", Channel="PJSIP/101-0a", CallerIDNum="101", Exten=dialled, Context="from-internal")

    def rings(self, channel: str = "PJSIP/101-0b", after_s: float = 0, **more: str) -> None:
        caller = more.pop("Channel", "PJSIP/trunk-0a")
        self.event("DialBegin", after_s, Channel=caller, DestChannel=channel, DestUniqueid=LEG, **more)

    def dialled(self, status: str, channel: str = "PJSIP/101-0b", after_s: float = 0) -> ParsedCall | None:
        return self.event("DialEnd", after_s, DestChannel=channel, DestUniqueid=LEG, DialStatus=status)

    def hangup(self, after_s: float = 0, cause: str = "16") -> ParsedCall | None:
        return self.event("Hangup", after_s, Channel="PJSIP/trunk-0a", Cause=cause, Cause_txt="Normal Clearing")


def last(pbx: Pbx) -> ParsedCall:
    return pbx.told[-1]


# --- samples ---------------------------------------------------------------------------------------


def test_an_answered_call_of_the_sample() -> None:
    pbx = Pbx()
    for block in blocks_of("in-answered.ami"):
        pbx.take(block)
    assert [(made.event, made.state, made.extension) for made in pbx.told] == [
        ("Newchannel", "ringing", ""),
        ("DialBegin", "ringing", "101"),
        ("DialEnd", "talking", "101"),
        ("Hangup", "ended", "101"),
        ("Cdr", "ended", "101"),
    ]
    assert {made.call_id for made in pbx.told} == {UID}
    assert len({made.event_id for made in pbx.told}) == 5
    made = last(pbx)
    assert (made.direction, made.client, made.line) == ("in", "+79990001010", "+74950000909")
    assert (made.disposition, made.talk_s, made.ring_s) == ("answered", 60, 7)
    assert (made.started_at, made.answered_at) == (START, START.replace(second=7))
    assert made.ended_at == START.replace(minute=1, second=7)


def test_a_missed_call_of_the_sample() -> None:
    pbx = Pbx()
    for block in blocks_of("in-missed.ami"):
        pbx.take(block)
    made = last(pbx)
    assert (made.event, made.state, made.disposition, made.talk_s) == ("Cdr", "ended", "missed", 0)
    assert (made.client, made.extension, made.ring_s) == ("+79990001011", "101", 20)
    assert [made.disposition for made in pbx.told] == ["", "missed", "missed"]


def test_the_same_call_by_ari() -> None:
    pbx = Pbx()
    for line in (SAMPLES / "asterisk/in-answered.ari.jsonl").read_text().splitlines():
        block = block_of(json.loads(line))
        assert block is not None
        pbx.take(block)
    assert [(made.state, made.extension) for made in pbx.told] == [
        ("ringing", ""),
        ("ringing", "101"),
        ("talking", "101"),
        ("ended", "101"),
    ]
    began = datetime(2026, 1, 5, 18, 0, tzinfo=UTC)
    made = last(pbx)
    assert (made.call_id, made.client, made.line) == (UID, "+79990001010", "+74950000909")
    assert (made.disposition, made.talk_s, made.ring_s) == ("answered", 60, 7)
    assert (made.started_at, made.answered_at) == (began, began.replace(second=7))
    assert made.ended_at == began.replace(minute=1, second=7)


# --- who talked --------------------------------------------------------------------------------------


def test_without_cdr_the_talk_is_as_long_as_it_was_heard() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings(after_s=3)
    pbx.dialled("ANSWER", after_s=5)
    made = pbx.hangup(after_s=42)
    assert made is not None
    assert (made.disposition, made.ring_s, made.talk_s) == ("answered", 8, 42)
    assert (made.started_at, made.answered_at) == (START, START.replace(second=8))


def test_a_menu_that_answered_is_nobody() -> None:
    pbx = Pbx()
    pbx.incoming()
    assert pbx.event("Newexten", Channel="PJSIP/trunk-0a", Application="Background") is None
    assert pbx.hangup(after_s=30) is not None
    pbx.event(
        "Cdr",
        Source="79990001010",
        Destination="74950000909",
        Channel="PJSIP/trunk-0a",
        LastApplication="Background",
        StartTime="2026-01-05 21:00:00",
        Duration="30",
        BillableSeconds="29",
        Disposition="ANSWERED",
    )
    assert [made.disposition for made in pbx.told] == ["", "missed", "missed"]
    assert last(pbx).talk_s == 0


def test_a_talk_behind_a_menu_is_without_the_menu() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings(after_s=25)
    pbx.dialled("ANSWER", after_s=5)
    pbx.hangup(after_s=60)
    made = pbx.event("Cdr", LastApplication="Dial", Duration="90", BillableSeconds="89", Disposition="ANSWERED")
    assert made is not None
    assert (made.talk_s, made.ring_s) == (60, 30)


def test_a_local_channel_that_answered_is_nobody() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings("Local/101@from-queue-0b;1")
    assert last(pbx).extension == "101"
    assert pbx.dialled("ANSWER", "Local/101@from-queue-0b;1") is None
    pbx.hangup(after_s=9)
    assert last(pbx).disposition == "missed"


def test_a_queue_names_who_talked_and_how_long() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.event("QueueCallerJoin", Queue="sales")
    made = pbx.event("AgentConnect", 20, Interface="Local/102@from-queue/n", Queue="sales")
    assert made is not None
    assert (made.state, made.extension) == ("talking", "102")
    pbx.event("AgentComplete", 50, Interface="Local/102@from-queue/n", TalkTime="50")
    pbx.hangup()
    pbx.event("Cdr", LastApplication="Queue", Duration="70", BillableSeconds="70", Disposition="ANSWERED")
    made = last(pbx)
    assert (made.disposition, made.talk_s, made.extension, made.extra["queue"]) == ("answered", 50, "102", "sales")


def test_who_left_the_queue_is_missed() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.event("QueueCallerAbandon", 40, Queue="sales", Position="1", HoldTime="40")
    made = pbx.hangup()
    assert made is not None
    assert (made.disposition, made.extra["queue"]) == ("missed", "sales")


def test_a_bridge_with_a_colleague_is_talk_and_a_holding_bridge_is_none() -> None:
    pbx = Pbx()
    pbx.incoming()
    enter = {"Channel": "PJSIP/103-0c", "BridgeUniqueid": "b-1"}
    assert pbx.event("BridgeEnter", **enter, BridgeTechnology="holding_bridge") is None
    made = pbx.event("BridgeEnter", **enter, BridgeTechnology="simple_bridge")
    assert made is not None
    assert (made.state, made.extension) == ("talking", "103")


def test_a_caller_alone_in_a_bridge_is_no_talk() -> None:
    pbx = Pbx()
    pbx.incoming()
    assert pbx.event("BridgeEnter", Channel="PJSIP/trunk-0a", BridgeUniqueid="b-1") is None


def test_after_a_transfer_the_last_one_talked() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings()
    pbx.dialled("ANSWER", after_s=5)
    made = pbx.event("BridgeEnter", 30, Channel="PJSIP/102-0c", Uniqueid="1767646800.12", BridgeUniqueid="b-1")
    assert made is not None
    assert made.extension == "102"
    pbx.hangup(after_s=30)
    assert pbx.call().extension == "102"


def test_one_of_a_ring_group_who_did_not_answer_ends_nothing() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings("PJSIP/101-0b")
    pbx.event("DialBegin", Channel="PJSIP/trunk-0a", DestChannel="PJSIP/102-0c", DestUniqueid="1767646800.12")
    pbx.event("DialEnd", 5, DestChannel="PJSIP/102-0c", DestUniqueid="1767646800.12", DialStatus="ANSWER")
    pbx.dialled("CANCEL", "PJSIP/101-0b")
    assert pbx.event("Hangup", Uniqueid=LEG, Channel="PJSIP/101-0b", Cause="26") is None
    pbx.hangup(after_s=30)
    assert (pbx.call().disposition, pbx.call().extension) == ("answered", "102")


def test_a_voice_mailbox_is_no_talk() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.rings()
    pbx.dialled("NOANSWER", after_s=20)
    pbx.event("Newexten", Channel="PJSIP/trunk-0a", Application="VoiceMail", AppData="101@default")
    pbx.hangup(after_s=30)
    assert pbx.call().disposition == "voicemail"


def test_a_call_forwarded_to_a_mobile_that_answers_is_answered() -> None:
    pbx = Pbx()
    pbx.incoming()
    made = pbx.dialled("ANSWER", "PJSIP/mobile-trunk-0b", after_s=5)
    assert made is not None
    assert (made.state, made.extension) == ("talking", "")


# --- outgoing and internal -------------------------------------------------------------------------


def test_an_outgoing_call_is_the_callees() -> None:
    pbx = Pbx()
    pbx.outgoing("89990001010")
    pbx.rings("PJSIP/trunk-0b", Channel="PJSIP/101-0a")
    made = pbx.dialled("ANSWER", "PJSIP/trunk-0b", after_s=10)
    assert made is not None
    assert (made.state, made.direction, made.client, made.extension) == ("talking", "out", "+79990001010", "101")
    made = pbx.hangup(after_s=20)
    assert made is not None
    assert (made.disposition, made.talk_s, made.extension) == ("answered", 20, "101")


@pytest.mark.parametrize(
    ("status", "cause", "disposition"),
    [
        ("BUSY", "17", "busy"),
        ("NOANSWER", "19", "no_answer"),
        ("CANCEL", "16", "no_answer"),
        ("CHANUNAVAIL", "0", "failed"),
        ("NOANSWER", "34", "failed"),
    ],
)
def test_an_outgoing_call_that_nobody_took(status: str, cause: str, disposition: str) -> None:
    pbx = Pbx()
    pbx.outgoing()
    pbx.dialled(status, "PJSIP/trunk-0b", after_s=10)
    made = pbx.hangup(cause=cause)
    assert made is not None
    assert (made.disposition, made.talk_s) == (disposition, 0)


def test_a_busy_colleague_makes_an_incoming_call_missed() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.dialled("BUSY")
    made = pbx.hangup(cause="17")
    assert made is not None
    assert made.disposition == "missed"


def test_colleagues_are_internal() -> None:
    pbx = Pbx()
    pbx.outgoing("102")
    pbx.rings("PJSIP/102-0b", Channel="PJSIP/101-0a")
    pbx.dialled("ANSWER", "PJSIP/102-0b", after_s=3)
    pbx.hangup(after_s=10)
    assert {made.direction for made in pbx.told} == {"internal"}
    assert {made.client for made in pbx.told} == {""}
    assert pbx.call().disposition == "answered"


@pytest.mark.parametrize("first", ["PJSIP/101-0a", "Local/101@from-internal-0a;1"])
def test_a_call_that_the_pbx_was_told_to_make_is_outgoing(first: str) -> None:
    pbx = Pbx()
    assert pbx.event("Newchannel", Channel=first, Exten="s") is None
    pbx.rings("PJSIP/101-0b")
    pbx.dialled("ANSWER", "PJSIP/101-0b", after_s=3)
    assert pbx.told == []
    pbx.rings("PJSIP/trunk-0c", Channel=first, DialString="trunk/79990001010")
    assert (last(pbx).direction, last(pbx).client, last(pbx).extension) == ("out", "+79990001010", "101")
    pbx.dialled("ANSWER", "PJSIP/trunk-0c", after_s=4)
    pbx.hangup(after_s=20)
    assert pbx.call().disposition == "answered"


def test_a_trunk_that_is_called_like_an_extension_can_be_named() -> None:
    pbx = Pbx(trunks=["88"])
    pbx.event("Newchannel", Channel="SIP/88-0a", CallerIDNum="79990001010", Exten="74950000909")
    assert last(pbx).direction == "in"
    wide = Pbx(extension_pattern=r"\d{2,5}|sip-\w+")
    wide.event("Newchannel", Channel="SIP/sip-anna-0a", Exten="79990001010")
    assert (last(wide).direction, last(wide).extension) == ("out", "sip-anna")


# --- what is missing ----------------------------------------------------------------------------------


def cdr(pbx: Pbx, **more: str) -> ParsedCall | None:
    told = {
        "Source": "79990001010",
        "Destination": "74950000909",
        "Channel": "PJSIP/trunk-0a",
        "DestinationChannel": "PJSIP/101-0b",
        "LastApplication": "Dial",
        "StartTime": "2026-01-05 21:00:00",
        "Duration": "67",
        "BillableSeconds": "60",
        "Disposition": "ANSWERED",
    }
    return pbx.take({"event": "Cdr", "uniqueid": UID, **{k.lower(): v for k, v in {**told, **more}.items()}})


def test_a_call_of_which_only_the_cdr_came_is_believed_where_a_colleague_took_the_dial() -> None:
    made = cdr(Pbx())
    assert made is not None
    assert (made.call_id, made.direction, made.client, made.line) == (UID, "in", "+79990001010", "+74950000909")
    assert (made.disposition, made.talk_s, made.extension) == ("answered", 60, "101")
    assert (made.started_at, made.ended_at) == (START, START.replace(minute=1, second=7))


@pytest.mark.parametrize(
    "more", [{"LastApplication": "Background"}, {"DestinationChannel": ""}, {"Disposition": "NO ANSWER"}]
)
def test_a_cdr_alone_that_shows_no_colleague_is_missed(more: dict[str, str]) -> None:
    made = cdr(Pbx(), **more)
    assert made is not None
    assert (made.disposition, made.talk_s) == ("missed", 0)


def test_a_cdr_of_a_call_that_was_heard_in_part_is_believed() -> None:
    pbx = Pbx()
    pbx.incoming()
    pbx.fold.gap()
    made = cdr(pbx)
    assert made is not None
    assert (made.disposition, made.extension) == ("answered", "101")


def test_a_hangup_alone_says_only_that_the_call_is_over() -> None:
    pbx = Pbx()
    made = pbx.event("Hangup", 5, Channel="PJSIP/trunk-0a", CallerIDNum="79990001010", Exten="74950000909")
    assert made is not None
    assert (made.state, made.disposition, made.direction) == ("ended", "", "in")


def test_a_hangup_of_a_leg_alone_says_nothing() -> None:
    pbx = Pbx()
    assert pbx.event("Hangup", Uniqueid=LEG, Channel="PJSIP/101-0b") is None
    assert pbx.event("Hangup", Channel="PJSIP/101-0b") is None


def test_times_of_a_pbx_whose_clock_is_wrong_are_not_mixed_with_ours() -> None:
    pbx = Pbx()
    pbx.now += timedelta(hours=3)
    pbx.incoming()
    pbx.dialled("ANSWER", after_s=5)
    made = pbx.hangup(after_s=10)
    assert made is not None
    assert (made.disposition, made.ring_s, made.talk_s) == ("answered", None, None)


def test_the_pbxs_own_time_stamps_are_used() -> None:
    pbx = Pbx()
    pbx.now += timedelta(minutes=1)
    pbx.incoming(Timestamp="1767646800.123")
    pbx.event("DialEnd", DestChannel="PJSIP/101-0b", DialStatus="ANSWER", Timestamp="1767646810.9")
    made = pbx.event("Hangup", Timestamp="1767646840.1")
    assert made is not None
    assert (made.ring_s, made.talk_s, made.ended_at) == (10, 30, START.replace(second=40))


def test_a_callers_name_is_told() -> None:
    pbx = Pbx()
    pbx.incoming(CallerIDName="Anna Petrova")
    assert last(pbx).lead is not None
    other = Pbx()
    other.incoming(CallerIDName="<unknown>")
    assert last(other).lead is None


def test_a_recording_is_told_when_it_begins() -> None:
    pbx = Pbx(recordings_url="https://pbx.example.test/rec/")
    pbx.incoming()
    name = "/var/spool/asterisk/monitor/2026/01/05/in 1.wav"
    made = pbx.event("VarSet", Variable="MIXMONITOR_FILENAME", Value=name)
    assert made is not None
    assert (made.recording_id, made.recording_url) == (name, "https://pbx.example.test/rec/2026/01/05/in%201.wav")
    assert pbx.event("VarSet", Variable="DIALSTATUS", Value="ANSWER") is None


def test_calls_are_not_remembered_for_ever() -> None:
    pbx = Pbx()
    for number in range(MAX_CALLS + 10):
        uid = f"1767646800.{number}"
        pbx.event("Newchannel", Channel=f"PJSIP/trunk-{number}", Uniqueid=uid, Linkedid=uid, Exten="1")
    assert len(pbx.fold._calls) == MAX_CALLS
    assert len(pbx.fold._of_channel) == MAX_CALLS


SAMPLE_BLOCKS = [*blocks_of("in-answered.ami"), *blocks_of("in-missed.ami")]
TEXTS = st.text(max_size=8)
KEYS = sorted({key for block in SAMPLE_BLOCKS for key in block} - {"event"})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SAMPLE_BLOCKS), st.dictionaries(st.sampled_from(KEYS), st.text(max_size=8), max_size=3)
        ),
        max_size=15,
    )
)
def test_events_in_any_order_with_anything_in_them_break_nothing(events: list[tuple[Block, Block]]) -> None:
    pbx = Pbx()
    for block, other in events:
        made = pbx.take({**block, **other})
        assert made is None or (made.call_id and made.event_id and (made.state == "ended" or not made.disposition))


@given(
    st.sets(st.sampled_from(["DialBegin", "DialEnd", "BridgeEnter", "Hangup", "Cdr"])),
    st.sampled_from(["DialBegin", "DialEnd", "BridgeEnter", "Hangup", "Cdr"]),
)
def test_of_an_answered_call_events_may_be_missing_or_come_twice(lost: set[str], twice: str) -> None:
    pbx = Pbx()
    for block in blocks_of("in-answered.ami"):
        if block["event"] not in lost:
            for _ in range(2 if block["event"] == twice else 1):
                pbx.take(block)
    heard_talk = not lost >= {"DialEnd", "BridgeEnter"}
    heard_end = not lost >= {"Hangup", "Cdr"}
    assert pbx.call().state == ("ended" if heard_end else "talking" if heard_talk else "ringing")
    assert pbx.call().disposition == ("answered" if heard_talk and heard_end else "missed" if heard_end else "")


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "peer"),
    [
        ("PJSIP/101-0000000b", Peer("PJSIP", "101")),
        ("SIP/my-trunk-ru-0000000a", Peer("SIP", "my-trunk-ru")),
        ("Local/101@from-queue-0001;1", Peer("Local", "101")),
        ("DAHDI/i1/79990001010-5", Peer("DAHDI", "i1/79990001010")),
        ("IAX2/101-123", Peer("IAX2", "101")),
        ("", Peer()),
        ("nonsense", Peer()),
    ],
)
def test_names_of_channels(channel: str, peer: Peer) -> None:
    assert peer_of(channel) == peer


def test_a_channels_id_tells_when_it_began() -> None:
    assert began_at("1767646800.10") == began_at("pbx-1-1767646800.10") == START
    assert began_at("my-own-id") is None
    assert began_at("٣٣٣٣٣٣٣٣٣٣.1") is None
