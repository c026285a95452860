"""Fetches the recording of a call: from the vendor's own hosts, or from a public address that it named."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from functools import partial
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from connectors.errors import AuthError, PermanentError, RateLimitedError, RetryableError
from connectors.http import VendorHttp, retry_after_s
from leads.clock import Clock

REDIRECTS_MAX: Final = 4
CONTINUED_MAX: Final = 20
"""So often the rest of one recording is asked for, each time only if more of it came."""
NOT_READY: Final = frozenset((202, 204, 425))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+)")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def origin(url: str) -> str:
    """`https://host:port` of an address; "" for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}" if parts.hostname and port else ""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet at large: not of this machine, this network or a cloud's inside."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in _NAT64:
            inner = ip_address(int(found) & 0xFFFFFFFF)  # type: ignore[assignment]  # 32 bits make an IPv4 address
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


async def download(
    http: VendorHttp,
    operation: str,
    url: str,
    *,
    own: Collection[str],
    resolves: bool = True,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    data: Mapping[str, str] | None = None,
    clock: Clock,
    not_ready: Collection[int] = (),
) -> tuple[str, AsyncIterator[bytes]]:
    """(content type, the bytes as they come). The caller limits their number, and reads or closes them.

    `own` are the vendor's origins: they alone get `headers` and `data`, and they alone may be private addresses (a PBX
    in the house). Redirects are followed, each target checked anew. Raises RetryableError while there is no recording
    yet (`not_ready`: statuses by which this vendor says so), PermanentError when there is none (any more). The
    bytes are all of them, or end with a RetryableError: what breaks off is continued where the vendor can do so.
    """
    target = urljoin(http.base_url, url)
    async with http.limiter.turn():
        for _ in range(REDIRECTS_MAX + 1):
            ours = origin(target) in own
            if not ours:
                await _check(operation, target, resolves=resolves)
            response = await _send(http, operation, method, target, headers if ours else None, data if ours else None)
            if not ours:
                await _check_peer(operation, response)
            if response.status_code not in _REDIRECTS:
                kind, total = await _recording(operation, response, ours=ours, not_ready=not_ready, clock=clock)
                whose = headers if ours else None
                rest = partial(_rest, http, operation, target, whose, total=total, ours=ours)
                return kind, _bytes(response, operation, total, rest if total is not None and method == "GET" else None)
            await response.aclose()
            target = urljoin(target, response.headers.get("location", ""))
            if response.status_code != 307 and response.status_code != 308:
                method, data = "GET", None
    raise PermanentError("the recording's address leads in circles", operation)


async def _send(
    http: VendorHttp,
    operation: str,
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    data: Mapping[str, str] | None,
) -> httpx.Response:
    said = {"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}
    request = http.client.build_request(method, url, headers=said, data=data)
    try:
        return await http.client.send(request, stream=True, auth=None)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise RetryableError(type(error).__name__, operation) from error


async def _recording(
    operation: str,
    response: httpx.Response,
    *,
    ours: bool,
    not_ready: Collection[int],
    clock: Clock,
) -> tuple[str, int | None]:
    """Content type, and of how many bytes it is where that is told. Raises ConnectorError for what is no recording."""
    status = response.status_code
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if status in (200, 206) and kind not in ("text/html", "application/json", "text/plain"):
        return kind or "application/octet-stream", _total(response)
    await response.aclose()
    if status in not_ready or status in NOT_READY or (status == 200 and kind in ("application/json", "text/plain")):
        raise RetryableError("the recording is not there yet", operation, status)
    if status == 429:
        wait_s = retry_after_s(response, clock.now())
        raise RateLimitedError("too fast", operation, status, retry_after_s=60.0 if wait_s is None else wait_s)
    if status in (401, 403) and ours:
        raise AuthError("the vendor does not accept the key", operation, status)
    if status >= 500:
        raise RetryableError("the vendor cannot give the recording now", operation, status)
    if status == 200:
        raise PermanentError("the recording's address shows a page instead", operation, status)
    raise PermanentError("there is no recording at this address", operation, status, gone=status in (404, 410))


def _total(response: httpx.Response) -> int | None:
    """The length of the whole; None where nobody tells, or where it is sent in another form."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    part = _RANGE.match(response.headers.get("content-range", ""))
    length = part[2] if part else response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None


async def _bytes(
    response: httpx.Response,
    operation: str,
    total: int | None,
    rest: Callable[[int], Awaitable[httpx.Response]] | None,
) -> AsyncGenerator[bytes]:
    """`rest`: asks for what follows after so many bytes. Half of a recording never looks like all of it."""
    count = 0
    for _ in range(CONTINUED_MAX):
        before, why = count, "too short"
        try:
            async for chunk in response.aiter_bytes():
                count += len(chunk)
                yield chunk
        except (httpx.HTTPError, OSError) as error:
            why = type(error).__name__
        else:
            if count and (total is None or count >= total):
                return
        finally:
            await response.aclose()
        if rest is None or count == before:
            break
        response = await rest(count)
    raise RetryableError(f"the recording broke off: {why}" if count else "the recording is still empty", operation)


async def _rest(
    http: VendorHttp,
    operation: str,
    url: str,
    headers: Mapping[str, str] | None,
    start: int,
    *,
    total: int | None,
    ours: bool,
) -> httpx.Response:
    """What follows after `start` bytes of the same recording; RetryableError where the vendor cannot tell it apart."""
    async with http.limiter.turn():
        response = await _send(http, operation, "GET", url, {**(headers or {}), "Range": f"bytes={start}-"}, None)
    if not ours:
        await _check_peer(operation, response)
    part = _RANGE.match(response.headers.get("content-range", ""))
    if response.status_code != 206 or part is None or (int(part[1]), int(part[2])) != (start, total):
        await response.aclose()
        raise RetryableError("the recording broke off and is not continued", operation, response.status_code)
    return response


async def _check(operation: str, url: str, *, resolves: bool) -> None:
    """Raises PermanentError unless the address is of the web and everything that its host stands for is public."""
    host = urlsplit(url).hostname or ""
    if not origin(url).startswith(("https://", "http://")):
        raise PermanentError("the recording's address is none of the web", operation)
    try:
        ip_address(host)
        addresses = [host]
    except ValueError:
        addresses = await _addresses(operation, host) if resolves else []
        if host.lower().rstrip(".").endswith(("localhost", ".local", ".internal")):
            addresses = ["127.0.0.1"]
    if not all(map(is_public, addresses)):
        raise PermanentError("the recording's address leads into a private network", operation)


async def _addresses(operation: str, host: str) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RetryableError("the recording's host is not known", operation) from error
    return [str(address[4][0]) for address in found]


async def _check_peer(operation: str, response: httpx.Response) -> None:
    """The name may have meant another machine when the connection was made."""
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    if peer and not is_public(str(peer[0])):
        await response.aclose()
        raise PermanentError("the recording's address leads into a private network", operation)
