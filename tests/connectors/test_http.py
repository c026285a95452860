"""A write leaves only while the connection is surely ours, asked at the last moment: with its first byte."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from connectors.base import Rate
from connectors.errors import TooEarlyError
from connectors.http import MAY_WRITE, VendorHttp, parse_json
from connectors.limits import Limiter
from connectors.wire import Network
from leads.clock import SystemClock
from tests.support.vendor_server import serve


class Vendor:
    """Answers 200 to whatever comes."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest_asyncio.fixture
async def vendor() -> AsyncIterator[tuple[Vendor, VendorHttp]]:
    one, clock = Vendor(), SystemClock()
    async with serve(one) as url:
        http = VendorHttp(
            base_url=url,
            clock=clock,
            limiter=Limiter(Rate(100, 1.0), clock),
            interpret=lambda operation, response, writes: parse_json(operation, response, writes=writes),
        )
        yield one, http
        await http.close()


@pytest.fixture
def ours() -> Iterator[list[bool]]:
    """Its last element says whether the connection is ours."""
    state = [True]
    token = MAY_WRITE.set(lambda: state[-1])
    yield state
    MAY_WRITE.reset(token)


async def write(http: VendorHttp, path: str) -> object:
    return await http.call("create", "POST", path, writes=True, json={})


async def test_a_write_of_a_process_that_lost_the_connection_never_leaves(
    vendor: tuple[Vendor, VendorHttp], ours: list[bool]
) -> None:
    one, http = vendor
    assert await write(http, "/first") == {}
    ours.append(False)
    with pytest.raises(TooEarlyError):
        await write(http, "/second")
    assert await http.call("read", "GET", "/third", writes=False) == {}  # what only reads does no harm
    ours.append(True)
    assert await write(http, "/fourth") == {}
    assert one.requests == ["/first", "/third", "/fourth"]


async def test_it_is_asked_after_the_way_to_the_vendor_was_made(
    vendor: tuple[Vendor, VendorHttp], ours: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, http = vendor
    real = Network.connect

    async def held_up(self: Network, *args: Any, **kwargs: Any) -> Any:
        ours.append(False)  # the process was frozen here, long after its turn had come
        return await real(self, *args, **kwargs)

    monkeypatch.setattr(Network, "connect", held_up)
    with pytest.raises(TooEarlyError):
        await write(http, "/late")
    assert one.requests == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"price": [-float("inf")]}, "\ud800"])
async def test_what_json_has_no_word_for_never_leaves(vendor: tuple[Vendor, VendorHttp], value: Any) -> None:
    one, http = vendor
    with pytest.raises(ValueError):
        await http.call("create", "POST", "/", writes=True, json={"value": value})
    assert await http.call("create", "POST", "/text", writes=True, json={"value": "NaN, Infinity"}) == {}
    assert one.requests == ["/text"]
