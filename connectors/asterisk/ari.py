"""Messages of Asterisk's REST interface (ARI) -> the same blocks that its manager interface sends."""

from typing import Final

from connectors.asterisk.ami import Block
from connectors.trees import Tree, part, text

_EVENTS: Final = {
    "StasisStart": "Newchannel",
    "ChannelCreated": "Newchannel",
    "ChannelEnteredBridge": "BridgeEnter",
    "ChannelDestroyed": "Hangup",
    "ChannelVarset": "VarSet",
    "Dial": "DialEnd",
}
_STILL_RINGING: Final = ("", "RINGING", "PROGRESS", "PROCEEDING")


def block_of(message: Tree) -> Block | None:
    """The block of one message, or None for one that tells nothing of a call.

    ARI has no Linkedid: a Dial ties the channel it rings to the channel that rings it.
    """
    kind = text(message, "type")
    event = _EVENTS.get(kind)
    if event is None:
        return None
    block = {"event": event, "timestamp": text(message, "timestamp").replace("+0000", "+00:00")}
    if kind == "Dial":
        status = text(message, "dialstatus").upper()
        if status in _STILL_RINGING:
            block["event"] = "DialBegin"
        block.update(_channel(part(message, "caller")))
        block.update(
            destchannel=text(message, "peer", "name"),
            destuniqueid=text(message, "peer", "id"),
            destcalleridnum=text(message, "peer", "caller", "number"),
            dialstatus=status,
            dialstring=text(message, "dialstring"),
        )
        return block if block["destuniqueid"] else None
    channel = part(message, "channel")
    if kind in ("StasisStart", "ChannelCreated"):
        created = text(channel, "creationtime").replace("+0000", "+00:00")
        block["timestamp"] = created or block["timestamp"]
    block.update(_channel(channel))
    block.update(
        {
            "bridgetechnology": text(message, "bridge", "technology"),
            "cause": text(message, "cause"),
            "cause-txt": text(message, "cause_txt"),
            "variable": text(message, "variable"),
            "value": text(message, "value"),
        }
    )
    return block if block["uniqueid"] else None


def _channel(channel: Tree) -> Block:
    return {
        "uniqueid": text(channel, "id"),
        "channel": text(channel, "name"),
        "calleridnum": text(channel, "caller", "number"),
        "calleridname": text(channel, "caller", "name"),
        "context": text(channel, "dialplan", "context"),
        "exten": text(channel, "dialplan", "exten"),
    }
