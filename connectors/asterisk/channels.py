"""Names and ids of Asterisk's channels: whose they are, and when they began."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

_CHANNEL = re.compile(r"(?P<tech>[A-Za-z0-9]+)/(?P<rest>.+)", re.DOTALL)
_SUFFIX = re.compile(r"-[0-9a-fA-F]+(?:;[12])?$")
_EPOCH = re.compile(r"(?:^|-)(\d{10})\.\d+$", re.ASCII)


class Peer(NamedTuple):
    """`PJSIP/101-0000000b` is technology `PJSIP`, name `101`; `Local/101@from-queue-1;2` is `Local`, `101`."""

    tech: str = ""
    name: str = ""

    @property
    def is_real(self) -> bool:
        """A line to somewhere: Local channels only lead on inside the PBX, and are answered by menus too."""
        return bool(self.name) and self.tech.casefold() != "local"


def peer_of(channel: str) -> Peer:
    match = _CHANNEL.fullmatch(channel.strip())
    if match is None:
        return Peer()
    name = _SUFFIX.sub("", match["rest"])
    return Peer(match["tech"], name.partition("@")[0])


def began_at(uniqueid: str) -> datetime | None:
    """Uniqueid is `[system-]<seconds since 1970>.<number>`; None where whoever made the channel gave it another."""
    match = _EPOCH.search(uniqueid)
    return datetime.fromtimestamp(int(match[1]), UTC) if match else None
