"""Which failures of a list mean that an account does not give it, and which may pass."""

from contextlib import suppress

import pytest

from connectors.errors import AuthError, ConnectorError, PermanentError, RateLimitedError, RetryableError
from connectors.histories import TRIES, Given


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (PermanentError("x", status=404), 1),
        (AuthError("no rights", status=403), 1),
        (AuthError("no rights, told inside a batch"), 1),
        (AuthError("the token was refused", status=401), 0),
        (RetryableError("x", status=500), TRIES),
        (RetryableError("no answer in time"), 0),
        (RateLimitedError("x", status=503), 0),
    ],
)
async def test_a_list_counts_as_not_given_after_what_will_not_pass(error: ConnectorError, after: int) -> None:
    given, asked = Given(), 0

    async def read() -> str:
        raise error

    while asked < TRIES + 2 and not given.refused:
        asked += 1
        with suppress(type(error)):
            assert await given.ask(("calls",), read) is None
    assert given.refused == ({"calls"} if after else set())
    assert asked == (after or TRIES + 2)


async def test_a_list_that_was_read_before_is_never_given_up_for_an_error_of_the_vendor() -> None:
    given = Given()

    async def read() -> str:
        return "rows"

    async def broken() -> str:
        raise RetryableError("x", status=500)

    assert await given.ask(("calls",), read) == "rows"
    for _ in range(TRIES + 1):
        with pytest.raises(RetryableError):
            await given.ask(("calls",), broken)
    assert not given.refused
