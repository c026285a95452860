"""Tries a source as its vendor would reach it: a signed sample through the public address."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx

from connectors.doors import DoorSettings, Inbound
from connectors.registry import sample_of
from connectors.samples import request
from jobs.config.loading import Settings
from jobs.sources.trial import HEADER, mark
from leads.clock import Clock

TIMEOUT_S = 10.0
SHOWN_CHARS = 200

Problem = Literal["", "unreachable", "redirected", "answered", "not_ours", "refused"]
"""`answered`: something with this status, but not the hub; `not_ours`: it answered well and knows nothing of a test;
`refused`: the hub itself, for a reason."""
Through = Literal["public", "listen"]


class NoSample(Exception):
    """No request comes to this door: there is nothing to send."""


@dataclass(frozen=True, slots=True)
class Way:
    """One address that was tried. `detail` is for people: an error, a status, where it leads to."""

    through: Through
    url: str
    problem: Problem = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """`ways` that were tried, the last one as far as it went. `made`: kind -> how many; `lead_ids` of the leads."""

    source: str
    ways: tuple[Way, ...]
    made: Mapping[str, int] = field(default_factory=dict)
    lead_ids: tuple[str, ...] = ()
    reply: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arrived(self) -> bool:
        return not self.ways[-1].problem

    @property
    def fine(self) -> bool:
        """The vendor's way works: the public address, or the only one there is."""
        return not self.ways[0].problem


def public_base(settings: Settings) -> str:
    return str(settings.hub.public_url or "").rstrip("/")


def listen_base(settings: Settings) -> str:
    """Where the hub is reached on its own machine."""
    host, port = settings.hub.address
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # what it means for a visitor
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def address_of(settings: Settings, name: str, *, token: str | None = None) -> str:
    """What is pasted at the vendor; `token` instead of the secret one, where there is one."""
    own = settings.sources[name].settings
    base = f"{public_base(settings) or listen_base(settings)}/in/{quote(name, safe='')}"
    if not isinstance(own, DoorSettings) or own.url_token is None:
        return base
    return f"{base}/{quote(own.url_token.get_secret_value(), safe='') if token is None else token}"


async def try_source(
    settings: Settings,
    name: str,
    keys: Sequence[str],
    clock: Clock,
    *,
    deliver: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Tried:
    """KeyError for an unknown source; NoSample for one that only asks its vendor itself."""
    configured = settings.sources[name]
    own = configured.settings
    assert isinstance(own, DoorSettings)
    address = address_of(settings, name)
    try:
        sample = sample_of(configured.type)(own, address, clock.now())
    except (ModuleNotFoundError, KeyError):
        raise NoSample from None
    question = request(own, address, clock.now(), method="GET")
    bases: list[tuple[Through, str]] = [("listen", listen_base(settings))]
    if public := public_base(settings):
        bases.insert(0, ("public", public))
    ways: list[Way] = []
    async with httpx.AsyncClient(timeout=TIMEOUT_S, transport=transport) as client:
        for through, base in bases:
            sender = _Sender(client, name, keys[0], clock, through, base)
            way, answer = await sender.send(question, asks=True)
            if not way.problem:
                way, answer = await sender.send(sample, deliver=deliver)
            ways.append(way)
            if not way.problem:
                leads = tuple(answer.get("leads", ()))
                return Tried(name, tuple(ways), answer.get("made", {}), leads, answer.get("reply", {}))
            if way.problem == "refused":
                break  # the hub was reached: another way to it changes nothing
    return Tried(name, tuple(ways))


@dataclass(frozen=True, slots=True)
class _Sender:
    client: httpx.AsyncClient
    name: str
    key: str
    clock: Clock
    through: Through
    base: str

    async def send(self, inbound: Inbound, *, asks: bool = False, deliver: bool = False) -> tuple[Way, dict[str, Any]]:
        """How it went, and what the hub said."""
        seal = mark(self.key, self.name, inbound, self.clock.now(), asks=asks, deliver=deliver)
        tail = "".join(f"/{quote(part, safe='')}" for part in inbound.path_tail.split("/") if part)
        query = f"?{urlencode(inbound.query)}" if inbound.query else ""
        way = Way(self.through, f"{self.base}/in/{quote(self.name, safe='')}")
        try:
            answer = await self.client.request(
                inbound.method,
                f"{way.url}{tail}{query}",
                content=inbound.body,
                headers={**inbound.headers, HEADER: seal, "user-agent": "leadhub-test"},
            )
        except httpx.HTTPError as error:
            return replace(way, problem="unreachable", detail=_shown(str(error) or type(error).__name__)), {}
        if answer.is_redirect:
            return replace(way, problem="redirected", detail=answer.headers.get("location", "")), {}
        told = _told(answer)
        if told is None:
            problem: Problem = "not_ours" if answer.is_success else "answered"
            return replace(way, problem=problem, detail=str(answer.status_code)), {}
        if not answer.is_success:
            return replace(way, problem="refused", detail=str(told.get("error", ""))), {}
        return way, told


def _told(answer: httpx.Response) -> dict[str, Any] | None:
    """What the hub says of a test; None when it was not the hub, or one that knows nothing of tests."""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.get("test") is True else None


def _shown(text: str) -> str:
    return " ".join(text.split())[:SHOWN_CHARS]
