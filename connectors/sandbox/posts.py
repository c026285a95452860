"""Webhooks of the sandbox vendors on their way out: made at once, sent in the background."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import httpx

KEPT = 10_000
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Post:
    """One request that a vendor makes to whoever subscribed."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Poster = Callable[[Post], Awaitable[None]]


@runtime_checkable
class Posts(Protocol):
    """A vendor that sends webhooks."""

    posts: deque[Post]


async def post_over_http(post: Post) -> None:
    """Once; a subscriber that is away misses it, as with a vendor that does not repeat."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            await client.post(post.url, content=post.body, headers=dict(post.headers))
    except (httpx.HTTPError, httpx.InvalidURL):
        return


class Sending:
    """Takes what a vendor has to send, in order, one at a time."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._task: asyncio.Task[None] | None = None

    def go_on(self, posts: deque[Post]) -> None:
        if posts and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._send(posts))

    async def _send(self, posts: deque[Post]) -> None:
        while posts:
            await self._poster(posts.popleft())
