"""Recordings over real sockets: redirects, what a vendor may not lead to, and answers that are no recording."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors.base import Rate
from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError
from connectors.http import VendorHttp, parse_json
from connectors.limits import Limiter
from connectors.recordings import download, is_public, origin
from leads.clock import SystemClock
from tests.simulate.virtual import SimClock, VirtualLoop
from tests.support.hub_on_virtual_time import virtual
from tests.support.vendor_api import Answer, Asked, FakeVendor, sound
from tests.support.vendor_server import serve

SECRET = {"authorization": "Basic c2VjcmV0"}


class House:
    """The vendor at a loopback address, and the client that knows it as its own."""

    def __init__(self, url: str, vendor: FakeVendor) -> None:
        self.url, self.vendor = url, vendor
        clock = SystemClock()
        self.http = VendorHttp(
            base_url=url,
            clock=clock,
            limiter=Limiter(Rate(100, 1.0), clock),
            interpret=lambda operation, response, writes: parse_json(operation, response, writes=writes),
        )

    async def fetch(self, path: str, **more: Any) -> tuple[str, AsyncIterator[bytes]]:
        own = more.pop("own", (origin(self.url),))
        return await download(self.http, "recording", path, own=own, clock=SystemClock(), headers=SECRET, **more)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    def answer(asked: Asked) -> Any:
        found = ANSWERS[asked.path]
        return found(int(asked.headers.get("range", "bytes=0-")[6:-1])) if callable(found) else found

    vendor = FakeVendor(answer)
    async with serve(vendor) as url:
        made = House(url, vendor)
        yield made
        await made.http.close()


SOUND = b"sound" * 1000
WHOLE = str(len(SOUND))


def part(start: int, stop: int, begins: int | None = None, of: str = WHOLE, **headers: str) -> Answer:
    """Of a vendor that cuts off what it promised; `begins`: where it says that the part begins."""
    said = {"content-length": str(len(SOUND) - start), **headers}
    if start or begins is not None:
        said["content-range"] = f"bytes {start if begins is None else begins}-4999/{of}"
    return Answer(206 if "content-range" in said else 200, SOUND[start:stop], said)


ANSWERS: dict[str, Answer | Callable[[int], Answer]] = {
    "/rec.mp3": Answer(200, SOUND),
    "/cut": lambda start: part(start, start + 1700),
    "/part": lambda start: part(start, start + 1700, begins=start, **{"content-length": str(min(1700, 5000 - start))}),
    "/always-the-same": Answer(200, SOUND[:100], {"content-length": WHOLE}),
    "/stuck": lambda start: part(start, min(start + 1700, 2000)),
    "/elsewhere": lambda start: part(start, start + 1700, begins=start + 1) if start else part(0, 1700),
    "/another": lambda start: part(start, start + 1700, of="5001") if start else part(0, 1700),
    "/nothing": Answer(200, b""),
    "/once": Answer(302, b"", {"location": "/rec.mp3"}),
    "/round": Answer(302, b"", {"location": "/round"}),
    "/inside": Answer(302, b"", {"location": "http://127.0.0.1:1/secrets"}),
    "/page": Answer(200, "<html>", {"content-type": "text/html; charset=utf-8"}),
    "/soon": Answer(200, {"status": "error"}),
    "/empty": Answer(204, b""),
    "/gone": Answer(404, b""),
    "/refused": Answer(401, b""),
    "/fast": Answer(429, b"", {"retry-after": "9"}),
    "/down": Answer(502, b""),
}


async def test_a_recording_comes_whole_and_with_its_type(house: House) -> None:
    assert await sound(await house.fetch("/rec.mp3")) == ("audio/mpeg", SOUND)
    assert house.vendor.last.headers["authorization"] == SECRET["authorization"]


@pytest.mark.parametrize("path", ["/cut", "/part"])
async def test_what_breaks_off_is_continued(house: House, path: str) -> None:
    assert await sound(await house.fetch(path)) == ("audio/mpeg", SOUND)
    assert [one.headers.get("range") for one in house.vendor.asked] == [None, "bytes=1700-", "bytes=3400-"]
    assert {one.headers["authorization"] for one in house.vendor.asked} == {SECRET["authorization"]}


@pytest.mark.parametrize("path", ["/always-the-same", "/stuck", "/elsewhere", "/another", "/nothing"])
async def test_half_a_recording_is_none_and_is_not_asked_for_without_end(house: House, path: str) -> None:
    with pytest.raises(RetryableError):
        await sound(await house.fetch(path))
    assert len(house.vendor.asked) <= 3


async def test_a_redirect_at_home_keeps_the_keys(house: House) -> None:
    assert (await sound(await house.fetch("/once")))[1] == SOUND
    assert [one.headers.get("authorization") for one in house.vendor.asked] == [SECRET["authorization"]] * 2


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/round", PermanentError),
        ("/inside", PermanentError),
        ("/page", PermanentError),
        ("/soon", RetryableError),
        ("/empty", RetryableError),
        ("/gone", PermanentError),
        ("/refused", AuthError),
        ("/fast", RateLimitedError),
        ("/down", RetryableError),
    ],
)
async def test_what_is_no_recording_says_what_to_do_next(house: House, path: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        await house.fetch(path)
    assert len(house.vendor.asked) <= 6
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after_s == 9.0
    if path == "/gone":
        assert caught.value.gone  # type: ignore[attr-defined]  # of a PermanentError


async def test_what_is_gone_may_mean_not_there_yet(house: House) -> None:
    with pytest.raises(RetryableError):
        await house.fetch("/gone", not_ready=(404,))


async def test_a_stranger_in_the_house_is_not_asked(house: House) -> None:
    for url in (house.url, house.url.replace("127.0.0.1", "localhost")):
        with pytest.raises(PermanentError, match="private"):
            await house.fetch(f"{url}/rec.mp3", own=())
    assert house.vendor.asked == []


async def test_another_port_is_another_host(house: House) -> None:
    asked: list[Asked] = []
    other = FakeVendor(lambda one: asked.append(one) or Answer(302, b"", {"location": f"{house.url}/rec.mp3"}))
    async with serve(other) as url:
        with pytest.raises(PermanentError, match="private"):
            await house.fetch(f"{url}/x")
        assert asked == []
        told = await house.fetch(f"{url}/x", own=(origin(url), origin(house.url)))
        assert (await sound(told))[1]


@virtual
async def test_the_keys_stay_at_home() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    vendor = FakeVendor(lambda asked: Answer(200, b"sound"))
    clock = SimClock(loop, random.Random(1))
    http = VendorHttp(
        base_url="https://api.example.com",
        clock=clock,
        limiter=Limiter(Rate(100, 1.0), clock),
        interpret=lambda *_: None,
        transport=httpx.ASGITransport(app=vendor),
    )
    own = (origin("https://api.example.com"),)
    for url, authorization in (("/a", SECRET["authorization"]), ("https://files.example.com/a", None)):
        told = await download(http, "recording", url, own=own, resolves=False, clock=clock, headers=SECRET)
        assert (await sound(told))[1] == b"sound"
        assert vendor.last.headers.get("authorization") == authorization


async def test_a_vendor_that_is_not_there_is_asked_later(house: House) -> None:
    with pytest.raises(RetryableError):
        await house.fetch("http://127.0.0.1:9/rec.mp3", own=("http://127.0.0.1:9",))


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.5",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *(
            "::1",
            "fe80::1",
            "fe80::1%eth0",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "no address",
        ),
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["81.88.80.132", "2a02:6b8::2:242", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://API.example.com/x?y", "https://api.example.com:443"),
        ("http://api.example.com:8080", "http://api.example.com:8080"),
        ("https://api.example.com:443/", "https://api.example.com:443"),
        ("ftp://api.example.com/x", ""),
        ("api.example.com", ""),
        ("https://h:99999999/", ""),
    ],
)
def test_origins_compare_hosts_and_ports(url: str, expected: str) -> None:
    assert origin(url) == expected
