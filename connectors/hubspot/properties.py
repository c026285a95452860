"""What properties the account has, as far as we know, and whether our key is unique there."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from connectors.base import Kind, NeededField
from connectors.errors import AuthError, ConnectorError, PermanentError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES, Taken, is_optional
from connectors.hubspot.records import STAPLE, choose_group, new_property, results_of

log = logging.getLogger(__name__)

FRESH_S = 86_400.0
"""What was read is read again after a day: people delete properties."""
DOUBT_S = 600.0
"""What could not be read or made is tried again after so long."""
SOON_S = 30.0
"""The same after a failure that passes by itself."""
LEARN_S = 10.0
"""A lead waits no longer than this for the list of properties."""
NEEDED_KEYS: dict[Kind, NeededField] = {
    kind: NeededField(kind, code, "Ключ LeadHub", "LeadHub ID", unique=True) for kind, code in KEY_PROPERTY.items()
}


class _State:
    __slots__ = ("learned_at", "lock", "names", "once_without", "refused", "unique", "until")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.until = float("-inf")
        self.learned_at = float("-inf")
        self.names: frozenset[str] | None = None
        self.refused: frozenset[str] = frozenset()
        self.unique = False
        self.once_without = False


class PropertyBook:
    """One per connection. Nothing in it can stop a lead: what cannot be learned is left in doubt.

    A key in doubt is sent, unless the account is known not to have it, but proves nothing.
    """

    def __init__(self, api: HubSpotApi, connection: str) -> None:
        self._api = api
        self._connection = connection
        self._states: dict[Kind, _State] = {kind: _State() for kind in TYPES}

    async def ready(self, kind: Kind) -> bool:
        """Whether our key is unique in this kind; reads (and makes) the property when that is not known.

        Raises AuthError for a dead token and nothing else.
        """
        state = self._states[kind]
        if self._api.clock.monotonic() < state.until:
            return state.unique
        async with state.lock:
            if self._api.clock.monotonic() >= state.until:
                await self._learn(kind, state)
        return state.unique

    def taken(self, kind: Kind) -> Taken:
        state = self._states[kind]
        return Taken(state.names, state.refused)

    def has_key(self, kind: Kind) -> bool:
        """Whether our key is sent at all; else a mark in the text stands in."""
        return KEY_PROPERTY[kind] in self.taken(kind)

    def unsure(self, kind: Kind) -> bool:
        """Whether a record of ours may be there that the key does not find."""
        state = self._states[kind]
        return not state.unique or state.once_without

    def about_to_write(self, kind: Kind) -> None:
        state = self._states[kind]
        state.once_without = state.once_without or not state.unique

    async def refused(self, kind: Kind, names: Iterable[str], sent_at: float) -> bool:
        """The account refused these properties of a create sent at `sent_at` (monotonic).

        True when the record is to be sent again: without them, or with the key that had to be made anew.
        """
        optional = {name for name in names if is_optional(name)}
        if not optional:
            return False
        state, key = self._states[kind], KEY_PROPERTY[kind]
        if key in optional and state.unique:
            # It was there and somebody deleted it: made again before it is given up, once for all who were refused.
            if state.learned_at <= sent_at:
                state.until, state.unique = float("-inf"), False
                await self.ready(kind)
            if state.unique:
                optional.discard(key)
        if optional - state.refused:
            state.refused |= optional
            state.until = min(state.until, self._api.clock.monotonic() + DOUBT_S)
            fields = {"event": "hubspot.property_refused", "connection": self._connection, "kind": kind}
            log.warning("HubSpot refused properties", extra={**fields, "properties": sorted(optional)})
        return True

    def note(self, kind: Kind, definitions: list[dict[str, Any]]) -> None:
        """Takes in a list of definitions that somebody else has read."""
        names = frozenset(str(item.get("name")) for item in definitions)
        state = self._states[kind]
        state.names = names if STAPLE[kind] in names else None
        state.refused = frozenset()
        state.unique = any(
            item.get("name") == KEY_PROPERTY[kind] and item.get("hasUniqueValue") is True for item in definitions
        )
        if state.unique:
            state.learned_at = self._api.clock.monotonic()
            state.until = state.learned_at + FRESH_S

    async def definitions(self, kind: Kind) -> list[dict[str, Any]]:
        answer = await self._api.call("read properties", "GET", self._api.paths.properties(TYPES[kind]), writes=False)
        return [item for item in results_of(answer) if not item.get("archived")]

    async def make(self, field: NeededField) -> dict[str, Any]:
        """Creates one property and returns its definition; one that is there already is read instead."""
        type_, paths = TYPES[field.kind], self._api.paths
        body = new_property(field, await self._group(field.kind))
        try:
            return await self._api.call("create property", "POST", paths.properties(type_), writes=True, json=body)
        except Refusal as error:
            if error.status != 409:
                raise
        return await self._api.call("read property", "GET", paths.one_property(type_, field.code), writes=False)

    async def _group(self, kind: Kind) -> str:
        try:
            path = self._api.paths.property_groups(TYPES[kind])
            return choose_group(kind, await self._api.call("read property groups", "GET", path, writes=False))
        except (AuthError, PermanentError) as error:
            if error.status == 401:
                raise
            return choose_group(kind, {})

    async def _learn(self, kind: Kind, state: _State) -> None:
        before, now = state.unique, self._api.clock.monotonic()
        state.until = now + DOUBT_S
        try:
            async with asyncio.timeout(LEARN_S):
                await self._read_or_make(kind, state)
        except (ConnectorError, TimeoutError) as error:
            lasting = isinstance(error, AuthError | PermanentError)
            if lasting and getattr(error, "status", 0) == 401:
                state.until = float("-inf")
                raise
            if not lasting:
                state.until = now + SOON_S
                state.unique = before  # seen unique before, and nobody said otherwise
            fields = {"event": "hubspot.key_in_doubt", "connection": self._connection, "kind": kind}
            log.warning("the unique property could not be read or made", extra={**fields, "error": str(error)})

    async def _read_or_make(self, kind: Kind, state: _State) -> None:
        try:
            self.note(kind, await self.definitions(kind))
        except (AuthError, PermanentError) as error:
            if error.status == 401:
                raise
            state.refused = frozenset()
        key = KEY_PROPERTY[kind]
        if state.unique or (state.names is not None and key in state.names):
            return
        made = await self.make(NEEDED_KEYS[kind])
        if state.names is not None:
            state.names |= {key}
        if made.get("hasUniqueValue") is None:
            path = self._api.paths.one_property(TYPES[kind], key)
            made = await self._api.call("read property", "GET", path, writes=False)
        if made.get("hasUniqueValue") is True:
            state.unique = True
            state.learned_at = self._api.clock.monotonic()
            state.until = state.learned_at + FRESH_S
