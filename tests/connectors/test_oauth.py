"""Token refresh: ahead of time, one at a time, stored before use, and hard to talk into giving up."""

import asyncio
from typing import Any

import pytest

from connectors.errors import AuthError, RateLimitedError, RetryableError, UnknownOutcomeError
from connectors.oauth import FixedToken, OAuthTokens, ahead_s, authorised, token_from_answer
from tests.support.manual_clock import ManualClock
from tests.support.token_store import MemoryTokens

DAY_S = 86400.0


AWAY = 1_000_000


class Vendor:
    """A token endpoint with single-use refresh tokens; `fault` is raised before, `lose` after the work."""

    def __init__(self, clock: ManualClock, store: MemoryTokens) -> None:
        self.clock = clock
        self.store = store
        self.alive = "r0"
        self.calls = 0
        self.fault: Exception | None = None
        self.lose = 0
        self.gate: asyncio.Event | None = None

    async def refresh(self, old: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        self.store.events.append("refresh asked")
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        if old["refresh_token"] != self.alive:
            raise AuthError("refused: Token has been revoked", "token", 401)
        number = int(self.alive[1:]) + 1
        self.alive = f"r{number}"
        if self.lose:
            self.lose -= 1
            raise UnknownOutcomeError("ReadError", "token")
        answer = {"access_token": f"a{number}", "refresh_token": self.alive, "expires_in": DAY_S}
        return token_from_answer(answer, self.clock.now(), old)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryTokens:
    now = clock.now().timestamp()
    return MemoryTokens(
        {"access_token": "a0", "refresh_token": "r0", "obtained_at": now, "expires_at": now + DAY_S, "domain": "acme"}
    )


@pytest.fixture
def vendor(clock: ManualClock, store: MemoryTokens) -> Vendor:
    return Vendor(clock, store)


@pytest.fixture
def tokens(clock: ManualClock, store: MemoryTokens, vendor: Vendor) -> OAuthTokens:
    return OAuthTokens(store, vendor.refresh, clock, name="sales")


async def test_a_token_with_life_left_is_used_as_it_is(tokens: OAuthTokens, vendor: Vendor) -> None:
    assert await tokens.access_token() == "a0"
    assert vendor.calls == 0


async def test_nobody_signed_in_yet_is_an_auth_error_that_says_what_to_do(
    tokens: OAuthTokens, store: MemoryTokens
) -> None:
    store.token = None
    with pytest.raises(AuthError, match="leadhub auth sales"):
        await tokens.access_token()


async def test_a_token_near_its_end_is_renewed_once_for_all_who_wait(
    tokens: OAuthTokens, clock: ManualClock, vendor: Vendor
) -> None:
    clock.forward(DAY_S - 600)
    assert await asyncio.gather(*(tokens.access_token() for _ in range(20))) == ["a1"] * 20
    assert vendor.calls == 1


async def test_the_new_pair_is_stored_before_it_is_used(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens
) -> None:
    clock.forward(DAY_S + 1)
    store.events.append(f"used {await tokens.access_token()}")
    assert store.events == ["refresh asked", "saved a1", "used a1"]
    assert store.token is not None
    assert store.token["refresh_token"] == "r1"
    assert store.token["domain"] == "acme"


async def test_two_processes_refresh_once(clock: ManualClock, store: MemoryTokens, vendor: Vendor) -> None:
    one = OAuthTokens(store, vendor.refresh, clock)
    two = OAuthTokens(store, vendor.refresh, clock)
    assert await asyncio.gather(one.access_token(), two.access_token()) == ["a0", "a0"]
    clock.forward(DAY_S + 1)
    assert await asyncio.gather(one.access_token(), two.access_token()) == ["a1", "a1"]
    assert vendor.calls == 1


async def test_a_401_to_a_token_already_replaced_takes_the_newer_one(tokens: OAuthTokens, vendor: Vendor) -> None:
    assert await tokens.access_token() == "a0"
    assert await tokens.refused("a0") == "a1"
    assert await tokens.refused("a0") == "a1"
    assert vendor.calls == 1


async def test_a_401_takes_what_another_process_has_stored(
    tokens: OAuthTokens, store: MemoryTokens, vendor: Vendor
) -> None:
    await tokens.access_token()
    assert store.token is not None
    store.token = {**store.token, "access_token": "elsewhere", "refresh_token": "r9"}
    assert await tokens.refused("a0") == "elsewhere"
    assert vendor.calls == 0


async def test_a_pair_that_cannot_be_opened_is_told_of_and_not_waited_for(
    tokens: OAuthTokens, store: MemoryTokens, vendor: Vendor
) -> None:
    store.opens = False
    for ask in (tokens.access_token(), tokens.refused("a0")):
        with pytest.raises(AuthError, match="cannot be opened with the keys"):
            await ask
    assert vendor.calls == 0


async def test_a_refresh_that_is_really_refused_is_an_auth_error(tokens: OAuthTokens, vendor: Vendor) -> None:
    vendor.alive = "r7"
    with pytest.raises(AuthError):
        await tokens.refused("a0")


async def test_a_lost_race_is_not_taken_for_a_dead_token(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens, vendor: Vendor
) -> None:
    """sub2api 1382: `invalid_grant` after somebody else's refresh switched the account off for good."""
    vendor.alive = "r1"  # a second process, without our lock, was faster ...
    sleep = clock.sleep

    async def winner_stores(seconds: float) -> None:
        await sleep(seconds)
        assert store.token is not None
        store.token = {**store.token, "access_token": "a1", "refresh_token": "r1"}  # ... and stores a little later

    clock.sleep = winner_stores  # type: ignore[method-assign]
    assert await tokens.refused("a0") == "a1"


async def test_a_flood_answer_of_the_token_endpoint_keeps_the_token(
    tokens: OAuthTokens, clock: ManualClock, vendor: Vendor
) -> None:
    clock.forward(DAY_S + 1)
    vendor.fault = RateLimitedError("blocked", "token", 403, retry_after_s=300)
    with pytest.raises(RateLimitedError):
        await tokens.access_token()
    vendor.fault = None
    assert await tokens.access_token() == "a1"


async def test_a_failed_refresh_ahead_of_time_does_not_stop_leads(
    tokens: OAuthTokens, clock: ManualClock, vendor: Vendor
) -> None:
    clock.forward(DAY_S - 600)
    vendor.fault = AuthError("refused", "token", 401)
    assert await tokens.access_token() == "a0"
    calls = vendor.calls
    assert await tokens.access_token() == "a0"
    assert vendor.calls == calls, "the token endpoint is left alone for a while"
    clock.forward(601)
    with pytest.raises(AuthError):
        await tokens.access_token()


async def test_a_lost_answer_is_tried_once_more_and_then_believed(
    tokens: OAuthTokens, clock: ManualClock, vendor: Vendor
) -> None:
    clock.forward(DAY_S + 1)
    vendor.lose = 1
    with pytest.raises(RetryableError):
        await tokens.access_token()
    with pytest.raises(AuthError):
        await tokens.access_token()


async def test_a_pair_that_could_not_be_stored_is_not_used_and_not_lost(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens, vendor: Vendor
) -> None:
    clock.forward(DAY_S + 1)
    store.fail_saves = 3
    with pytest.raises(RetryableError, match="OSError"):
        await tokens.access_token()
    with pytest.raises(RetryableError, match="not stored yet"):
        await tokens.access_token()
    await tokens.close()
    assert await tokens.access_token() == "a1"
    assert vendor.calls == 1
    assert store.token is not None
    assert store.token["access_token"] == "a1"


async def test_a_pair_that_could_not_be_stored_reaches_the_process_that_works_now(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens, vendor: Vendor
) -> None:
    """The store was away for a moment, the lease went to another process, and only we have the new pair."""
    clock.forward(DAY_S + 1)
    store.fail_saves = AWAY
    with pytest.raises(RetryableError, match="OSError"):
        await tokens.access_token()
    other = OAuthTokens(store, vendor.refresh, clock)
    asking = asyncio.ensure_future(other.access_token())
    while vendor.calls < 2:
        await asyncio.sleep(0)
    store.fail_saves = 0
    assert await asking == "a1"
    assert vendor.calls == 2, "the other asked with the spent token, was refused, and found the new pair"


async def test_a_pair_that_could_not_be_stored_does_not_undo_a_later_sign_in(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens, vendor: Vendor
) -> None:
    clock.forward(DAY_S + 1)
    store.fail_saves = AWAY
    with pytest.raises(RetryableError, match="OSError"):
        await tokens.access_token()
    assert store.token is not None
    signed_in = {**store.token, "access_token": "person", "refresh_token": "new", "expires_at": 9e12}
    store.token, store.fail_saves = dict(signed_in), 0
    await tokens.close()
    assert store.token == signed_in
    assert await tokens.access_token() == "person"


async def test_a_cancelled_caller_does_not_take_the_new_pair_along(
    tokens: OAuthTokens, clock: ManualClock, store: MemoryTokens, vendor: Vendor
) -> None:
    clock.forward(DAY_S + 1)
    vendor.gate = asyncio.Event()
    caller = asyncio.ensure_future(tokens.access_token())
    while not vendor.calls:
        await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    vendor.gate.set()
    await tokens.close()
    assert store.token is not None
    assert store.token["access_token"] == "a1"
    assert await tokens.access_token() == "a1"


async def test_authorised_sends_again_after_a_401_and_only_then(tokens: OAuthTokens) -> None:
    sent: list[str] = []

    async def send(token: str) -> str:
        sent.append(token)
        if token == "a0":
            raise AuthError("expired", "create deal", 401)
        return "done"

    assert await authorised(tokens, send) == "done"
    assert sent == ["a0", "a1"]

    async def forbidden(token: str) -> str:
        sent.append(token)
        raise AuthError("no rights", "create deal", 403)

    sent.clear()
    with pytest.raises(AuthError, match="no rights"):
        await authorised(tokens, forbidden)
    assert sent == ["a1"]


async def test_a_newer_token_that_ended_while_the_call_was_on_its_way_is_replaced_too(tokens: OAuthTokens) -> None:
    sent: list[str] = []

    async def send(token: str) -> str:
        sent.append(token)
        if token in ("a0", "a1"):
            raise AuthError("expired", "create deal", 401)
        return "done"

    assert await authorised(tokens, send) == "done"
    assert sent == ["a0", "a1", "a2"]


async def test_a_vendor_that_refuses_every_token_is_believed(tokens: OAuthTokens) -> None:
    sent: list[str] = []

    async def send(token: str) -> str:
        sent.append(token)
        raise AuthError("expired", "create deal", 401)

    with pytest.raises(AuthError, match="expired"):
        await authorised(tokens, send)
    assert len(sent) == 3


async def test_a_fixed_token_that_is_refused_stays_refused() -> None:
    async def send(token: str) -> str:
        raise AuthError(f"refused {len(token)}", "ping", 401)

    with pytest.raises(AuthError, match="the access token is refused"):
        await authorised(FixedToken("secret"), send)


def test_token_answers_become_what_we_store(clock: ManualClock) -> None:
    now = clock.now()
    token = token_from_answer({"access_token": "a", "expires_in": "3600"}, now, {"refresh_token": "r", "domain": "d"})
    assert token == {
        "access_token": "a",
        "refresh_token": "r",
        "domain": "d",
        "obtained_at": now.timestamp(),
        "expires_at": now.timestamp() + 3600,
    }
    assert ahead_s(token) == 900
    assert ahead_s({"access_token": "a"}) == 300
    for bad in ({}, {"access_token": ""}, {"access_token": 5}, [], None, "token"):
        with pytest.raises(ValueError, match="no access token"):
            token_from_answer(bad, now)
