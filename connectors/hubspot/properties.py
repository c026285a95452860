"""What properties the account has, as far as we know, and whether our key is unique there."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Kind, NeededField
from connectors.errors import AuthError, ConnectorError, PermanentError, TooEarlyError
from connectors.hubspot.answers import Refusal
from connectors.hubspot.api import HubSpotApi
from connectors.hubspot.payloads import KEY_PROPERTY, TYPES, Taken, is_optional
from connectors.hubspot.records import STAPLE, choose_group, new_property, results_of, when

log = logging.getLogger(__name__)

FRESH_S = 86_400.0
"""What was read is read again after a day: people delete properties."""
DOUBT_S = 600.0
"""What could not be read or made is tried again after so long."""
SOON_S = 30.0
"""The same after a failure that passes by itself."""
LEARN_S = 10.0
"""A lead waits no longer than this for the list of properties."""
PATIENCE_S = 10.0
"""So long nothing is written while it cannot be seen whether the account has our key; then it goes in doubt."""
AGAIN_S = 1.0
"""Meanwhile it is looked for again after so long."""
AGED = timedelta(hours=2)
"""A property this much older than a create was known to whoever sent it, whatever the clocks say (see DOUBT_S)."""
NEEDED_KEYS: dict[Kind, NeededField] = {
    kind: NeededField(kind, code, "Ключ LeadHub", "LeadHub ID", unique=True) for kind, code in KEY_PROPERTY.items()
}


class _State:
    __slots__ = ("asked_at", "doubtful", "learned_at", "lock", "made_at", "names", "refused", "unique", "until")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.until = float("-inf")
        self.learned_at = float("-inf")
        self.names: frozenset[str] | None = None
        self.refused: frozenset[str] = frozenset()
        self.unique = False
        self.made_at: datetime | None = None
        self.doubtful = True
        """Nothing told us so far whether the key can be had: neither a definition nor a refusal."""
        self.asked_at: float | None = None
        """When that was asked for the first time."""


class PropertyBook:
    """One per connection. Nothing in it can stop a lead for long: what cannot be learned is left in doubt.

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
        if self._api.clock.monotonic() < state.until or (state.lock.locked() and not state.doubtful):
            return state.unique
        async with state.lock:
            if self._api.clock.monotonic() >= state.until:
                await self._learn(kind, state)
        return state.unique

    async def certain(self, kind: Kind) -> bool:
        """`ready` for who is about to write: what goes out without the key is hard to find again.

        Raises TooEarlyError while it cannot be seen whether the key can be had, for at most PATIENCE_S.
        """
        unique, state = await self.ready(kind), self._states[kind]
        if state.doubtful and self._is_patient(state):
            text = "whether HubSpot has our unique property cannot be seen yet"
            raise TooEarlyError(text, f"create {kind}", wait_s=AGAIN_S)
        return unique

    def _is_patient(self, state: _State) -> bool:
        return state.asked_at is None or self._api.clock.monotonic() - state.asked_at < PATIENCE_S

    def taken(self, kind: Kind) -> Taken:
        state = self._states[kind]
        return Taken(state.names, state.refused)

    def has_key(self, kind: Kind) -> bool:
        """Whether our key is sent at all; else a mark in the text stands in."""
        return KEY_PROPERTY[kind] in self.taken(kind)

    def unique(self, kind: Kind) -> bool:
        return self._states[kind].unique

    def was_unique(self, kind: Kind, at: datetime) -> bool:
        """Whether the key was there so long before `at` that nothing was sent without it then."""
        state = self._states[kind]
        return state.unique and state.made_at is not None and state.made_at + AGED < at

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
                self._doubt(state)
                await self.certain(kind)
            if state.unique:
                optional.discard(key)
        if optional - state.refused:
            state.refused |= optional
            state.until = min(state.until, self._api.clock.monotonic() + DOUBT_S)
            fields = {"event": "hubspot.property_refused", "connection": self._connection, "kind": kind}
            log.warning("HubSpot refused properties", extra={**fields, "properties": sorted(optional)})
        return True

    def note(self, kind: Kind, definitions: list[dict[str, Any]], asked_at: float) -> None:
        """Takes in a list of definitions that was asked for at `asked_at` (monotonic)."""
        names = frozenset(str(item.get("name")) for item in definitions)
        state = self._states[kind]
        if asked_at < state.learned_at:
            return  # while it was on its way the property was made
        if state.unique and KEY_PROPERTY[kind] not in names:
            self._doubt(state)
        state.names = names if STAPLE[kind] in names else None
        state.refused = frozenset()
        key = next((item for item in definitions if item.get("name") == KEY_PROPERTY[kind]), {})
        if key.get("hasUniqueValue") is True:
            self._found(state, key)
        else:
            state.unique = False

    @staticmethod
    def _doubt(state: _State) -> None:
        """The property was there and is not any more: nothing is written before it is asked for again."""
        state.until, state.unique = float("-inf"), False
        state.doubtful, state.asked_at = True, None

    def _found(self, state: _State, definition: dict[str, Any]) -> None:
        """The unique property is there."""
        state.unique, state.doubtful = True, False
        state.made_at = when(definition.get("createdAt"))
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
        before, asked_at = state.unique, self._api.clock.monotonic()
        state.asked_at = asked_at if state.asked_at is None else state.asked_at
        wait_s = DOUBT_S
        try:
            async with asyncio.timeout(LEARN_S):
                await self._read_or_make(kind, state)
            state.doubtful = False
        except (ConnectorError, TimeoutError) as error:
            lasting = isinstance(error, AuthError | PermanentError)
            if lasting and getattr(error, "status", 0) == 401:
                state.until = float("-inf")
                raise
            if lasting:
                state.doubtful = False
            else:
                state.unique = before  # seen unique before, and nobody said otherwise
                patient = state.doubtful and self._is_patient(state)
                wait_s = AGAIN_S if patient else SOON_S
            fields = {"event": "hubspot.key_in_doubt", "connection": self._connection, "kind": kind}
            log.warning("the unique property could not be read or made", extra={**fields, "error": str(error)})
        if state.learned_at < asked_at:
            state.until = self._api.clock.monotonic() + wait_s

    async def _read_or_make(self, kind: Kind, state: _State) -> None:
        try:
            asked_at = self._api.clock.monotonic()
            self.note(kind, await self.definitions(kind), asked_at)
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
            self._found(state, made)
