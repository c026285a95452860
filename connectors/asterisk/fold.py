"""Events of a PBX's channels, one after the other -> events of calls."""

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from connectors.asterisk.ami import Block
from connectors.asterisk.call import LIVE, ChannelCall
from connectors.asterisk.channels import Peer, began_at, peer_of
from connectors.asterisk.recordings import recording_url
from connectors.asterisk.settings import AsteriskSettings
from connectors.callfields import ago, caller_name, moment, seconds
from connectors.events import ParsedCall
from connectors.numbers import NOBODY, Number, line_or_client

MAX_CALLS: Final = 5_000  # remembered at a time; a PBX with more at once has other tools
_VOICEMAIL: Final = ("voicemail", "voicemailmain")
_HUMAN_APPLICATIONS: Final = ("dial", "queue", "followme", "page")


class CallsOfChannels:
    """Remembers who is in which call. Pure: times come with the events, or as `now`.

    A person spoke with a person when a colleague's channel answered a Dial, entered a bridge, or was named by a queue:
    that the PBX answered (menus do) and what Cdr counts from there proves nothing.
    """

    def __init__(self, settings: AsteriskSettings, region: str) -> None:
        self._settings = settings
        self._region = settings.region or region
        self._extension = re.compile(settings.extension_pattern)
        self._calls: OrderedDict[str, ChannelCall] = OrderedDict()
        self._of_channel: dict[str, str] = {}

    def take(self, block: Block, now: datetime) -> ParsedCall | None:
        """What one event tells of a call, or None."""
        take = _TAKERS.get(block.get("event", "").casefold())
        if take is None:
            return None
        stamped = moment(block.get("timestamp", ""), now)
        return take(self, block, stamped or now.replace(microsecond=0), stamped is not None)

    def gap(self) -> None:
        """The connection was lost: of calls that go on something may have been missed."""
        for call in self._calls.values():
            call.gap = True

    # --- which call ------------------------------------------------------------------------------

    def _call_of(self, block: Block, unique_key: str = "uniqueid") -> ChannelCall | None:
        unique = block.get(unique_key, "")
        found = self._of_channel.get(unique) or block.get("linkedid") or unique
        return self._calls.get(found)

    def _new(self, call_id: str, channel_id: str, at: datetime, stamped: bool) -> ChannelCall:
        began = began_at(channel_id)
        call = ChannelCall(call_id, started_at=began or at, heard_at=at)
        call.exact = stamped or (began is not None and abs(at - began) < LIVE)
        if stamped:
            call.started_at = at
        self._calls[call_id] = call
        self._bind(channel_id, call)
        while len(self._calls) > MAX_CALLS:
            _, oldest = self._calls.popitem(last=False)
            for channel in oldest.channels:
                self._of_channel.pop(channel, None)
        return call

    def _bind(self, channel_id: str, call: ChannelCall) -> None:
        if channel_id and channel_id not in self._of_channel:
            self._of_channel[channel_id] = call.id
            call.channels.append(channel_id)

    def _extension_of(self, peer: Peer) -> str:
        """The colleague's number of a channel, or "" for a trunk."""
        inside = peer.name not in self._settings.trunks and self._extension.fullmatch(peer.name)
        return peer.name if inside else ""

    def _number(self, text: str) -> Number:
        return line_or_client(text, self._region) if text not in ("s", "<unknown>") else NOBODY

    # --- events ------------------------------------------------------------------------------------

    def _newchannel(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        unique = block.get("uniqueid", "")
        linked = block.get("linkedid") or unique
        if not unique:
            return None
        known = self._calls.get(linked) or self._calls.get(self._of_channel.get(unique, ""))
        if known is not None:
            self._bind(unique, known)
            return None
        if linked != unique:  # a leg of a call whose beginning was not heard
            return None
        call = self._new(unique, unique, at, stamped)
        peer = peer_of(block.get("channel", ""))
        self._place(call, peer, block)
        return call.tell("Newchannel", unique, "ringing", at) if call.direction else None

    def _place(self, call: ChannelCall, peer: Peer, block: Block) -> None:
        """Who is who, by the first channel: a trunk's is a client's, an extension's a colleague's."""
        own = self._extension_of(peer)
        dialled = block.get("exten", "")
        if own and peer.is_real:
            call.own = own
            number = self._number(dialled)
            if number.extension or dialled.startswith("*"):
                call.direction = "internal"
            elif number:
                call.direction, call.client = "out", number
        elif own:
            call.own = own  # a Local channel, by which the PBX was told to ring a colleague
        elif peer.is_real:
            call.direction = "in"
            call.client = self._number(block.get("calleridnum", ""))
            call.line = self._number(dialled)
            call.name = caller_name(block.get("calleridname", ""))

    def _dial_begin(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call = self._dialled_call(block, at, stamped)
        if call is None:
            return None
        peer = peer_of(block.get("destchannel", ""))
        extension = self._extension_of(peer)
        if not call.direction:
            self._originated(call, peer, extension, block)
        if call.direction in ("in", "internal") and extension:
            call.rung = extension
            return call.tell("DialBegin", block.get("destuniqueid") or extension, "ringing", at)
        if call.direction == "out":
            return call.tell("DialBegin", block.get("destuniqueid", ""), "ringing", at)
        return None

    def _dialled_call(self, block: Block, at: datetime, stamped: bool) -> ChannelCall | None:
        """The call of a Dial, begun here if its first channel was not heard of; the dialled channel joins it."""
        call = self._call_of(block)
        unique = block.get("uniqueid", "")
        if call is None and unique:
            call = self._new(block.get("linkedid") or unique, unique, at, stamped)
            call.gap = True
            self._place(call, peer_of(block.get("channel", "")), block)
        if call is not None:
            self._bind(block.get("destuniqueid", ""), call)
        return call

    def _originated(self, call: ChannelCall, peer: Peer, extension: str, block: Block) -> None:
        """A call that the PBX was told to make: the colleague was rung first, whom he is given shows here."""
        if not call.own or not peer.is_real or extension == call.own:
            return
        if extension:
            call.direction = "internal"
            return
        dialled = block.get("dialstring", "").partition("@")[0].rpartition("/")[2]
        call.direction = "out"
        call.client = self._number(dialled) or self._number(block.get("destcalleridnum", ""))

    def _dial_end(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call = self._dialled_call(block, at, stamped)
        if call is None or call.ended_at is not None:
            return None
        peer = peer_of(block.get("destchannel", ""))
        extension = self._extension_of(peer)
        call.dial_status = block.get("dialstatus", "").upper()
        if extension and call.direction != "out":
            call.rung = extension
        if call.dial_status != "ANSWER" or not peer.is_real or not call.direction:
            return None
        return self._talks(call, block, call.own if call.direction == "out" else extension, at)

    def _bridge_enter(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call = self._call_of(block)
        peer = peer_of(block.get("channel", ""))
        extension = self._extension_of(peer)
        if call is None or not extension or not peer.is_real or call.direction not in ("in", "internal"):
            return None
        if extension == call.own or "holding" in block.get("bridgetechnology", ""):
            return None
        return self._talks(call, block, extension, at)

    def _agent_connect(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call = self._call_of(block)
        if call is None:
            return None
        call.extra.setdefault("queue", block.get("queue", ""))
        return self._talks(call, block, self._agent(block), at)

    def _agent(self, block: Block) -> str:
        peers = (peer_of(block.get(key, "")) for key in ("interface", "destchannel"))
        return next((found for peer in peers if (found := self._extension_of(peer))), "")

    def _agent_complete(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        """A queue knows the talk itself, without menu and waiting."""
        call = self._call_of(block)
        talk_s = seconds(block.get("talktime", ""))
        if call is None or talk_s is None:
            return None
        call.talked, call.talk_s = True, talk_s
        call.talker = self._agent(block) or call.talker
        return call.tell("AgentComplete", block.get("uniqueid", ""), "", at, talk_s=talk_s)

    def _queue(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        """Joining or leaving a queue is no state of a call: it is told with its end."""
        call = self._call_of(block)
        if call is not None and block.get("queue"):
            call.extra["queue"] = block["queue"]
        return None

    def _newexten(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call = self._call_of(block)
        if call is not None and block.get("application", "").casefold() in _VOICEMAIL:
            call.voicemail = True
        return None

    def _varset(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        call, value = self._call_of(block), block.get("value", "")
        if call is None or block.get("variable", "").upper() != "MIXMONITOR_FILENAME" or not value:
            return None
        which = f"{block.get('uniqueid', '')}:{value}"
        url = recording_url(self._settings, value)
        return call.tell("VarSet", which, "", at, recording_id=value, recording_url=url)

    def _talks(self, call: ChannelCall, block: Block, extension: str, at: datetime) -> ParsedCall | None:
        if call.ended_at is not None or (call.talked and call.talker == extension):
            return None
        call.talked, call.talker = True, extension
        call.answered_at = call.answered_at or at
        which = f"{block.get('uniqueid', '')}:{extension}"
        return call.tell(block.get("event", ""), which, "talking", at, answered_at=at)

    def _hangup(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        unique = block.get("uniqueid", "")
        call = self._call_of(block)
        if call is None:
            return self._end_of_unknown(block, at, stamped)
        if not call.is_first(unique):
            return None  # a leg; the call goes on or its own end is told as well
        if call.ended_at is not None or not call.direction:
            return None
        call.ended_at = at
        cause = block.get("cause", "")
        if block.get("cause-txt"):
            call.extra["hangup"] = block["cause-txt"]
        ring_s, talk_s = call.heard()
        return call.tell(
            "Hangup",
            unique,
            "ended",
            at,
            ring_s=ring_s,
            talk_s=talk_s,
            disposition=call.disposition(cause),
            answered_at=call.answered_at if call.exact else None,
        )

    def _end_of_unknown(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        """The end of an incoming call of which nothing was heard before: that it is over, not how it came out."""
        unique, peer = block.get("uniqueid", ""), peer_of(block.get("channel", ""))
        if not unique or block.get("linkedid", unique) != unique or not peer.is_real or self._extension_of(peer):
            return None
        call = self._new(unique, unique, at, stamped)
        call.gap, call.ended_at = True, at
        call.started_at = began_at(unique)
        self._place(call, peer, block)
        return call.tell("Hangup", unique, "ended", at)

    def _cdr(self, block: Block, at: datetime, stamped: bool) -> ParsedCall | None:
        """The PBX's own account of one leg. It counts from the PBX's answer; who talked was heard before."""
        unique = block.get("uniqueid", "")
        call = self._call_of(block)
        if not unique or (call is not None and not call.is_first(unique)):
            return None
        if call is None:
            call = self._new(unique, unique, at, stamped)
            call.gap, call.started_at = True, began_at(unique)
            self._place(
                call,
                peer_of(block.get("channel", "")),
                {"calleridnum": block.get("source", ""), "exten": block.get("destination", "")},
            )
        if not call.direction:
            return None
        whole_s, billed_s = seconds(block.get("duration", "")), seconds(block.get("billableseconds", ""))
        if call.gap and not call.talked:
            self._believe(call, block)
        if block.get("lastapplication", "").casefold() in _VOICEMAIL and not call.talked:
            call.voicemail = True
        began = began_at(unique) or call.started_at
        call.started_at = began or moment(block.get("starttime", ""), at, self._settings.timezone, later_s=whole_s or 0)
        ended_at = call.started_at + timedelta(seconds=whole_s) if call.started_at and whole_s is not None else at
        call.ended_at = call.ended_at or ended_at
        ring_s, talk_s = call.lengths(whole_s, billed_s)
        busy = block.get("disposition", "").upper() == "BUSY"
        return call.tell(
            "Cdr",
            f"{unique}:{block.get('destinationchannel', '')}:{block.get('starttime', '')}",
            "ended",
            ended_at,
            ring_s=ring_s,
            talk_s=talk_s,
            disposition=call.disposition("17" if busy else ""),
            answered_at=ago(ended_at, talk_s) if call.talked else None,
        )

    def _believe(self, call: ChannelCall, block: Block) -> None:
        """A call that we heard only in part: answered if a colleague's (or the client's) channel took a Dial."""
        peer = peer_of(block.get("destinationchannel", ""))
        extension = self._extension_of(peer)
        answered = block.get("disposition", "").upper() == "ANSWERED"
        if call.direction != "out":
            call.rung = extension or call.rung
        if answered and peer.is_real and block.get("lastapplication", "").casefold() in _HUMAN_APPLICATIONS:
            call.talked, call.talker = True, call.own if call.direction == "out" else extension


_TAKERS: Final = {
    "newchannel": CallsOfChannels._newchannel,
    "dialbegin": CallsOfChannels._dial_begin,
    "dialend": CallsOfChannels._dial_end,
    "bridgeenter": CallsOfChannels._bridge_enter,
    "agentconnect": CallsOfChannels._agent_connect,
    "agentcomplete": CallsOfChannels._agent_complete,
    "queuecallerjoin": CallsOfChannels._queue,
    "queuecallerabandon": CallsOfChannels._queue,
    "newexten": CallsOfChannels._newexten,
    "varset": CallsOfChannels._varset,
    "hangup": CallsOfChannels._hangup,
    "cdr": CallsOfChannels._cdr,
}
