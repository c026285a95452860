"""respx at our own transport: it knows httpcore's and httpx's clients only."""

from typing import Any, ClassVar

import httpx
import respx
from respx.mocks import AbstractRequestMocker

from connectors.transport import StackedTransport


class _OurTransport(AbstractRequestMocker):
    name = "leadhub"
    targets: ClassVar[list[str]] = [f"{StackedTransport.__module__}.{StackedTransport.__name__}"]
    target_methods: ClassVar[list[str]] = ["handle_async_request"]

    @classmethod
    def to_httpx_request(cls, **kwargs: Any) -> httpx.Request:
        request: httpx.Request = kwargs["request"]
        return request

    @classmethod
    async def from_async_httpx_response(
        cls, httpx_response: httpx.Response, target: Any, **kwargs: Any
    ) -> httpx.Response:
        return httpx_response


def mocked(**options: Any) -> respx.MockRouter:
    """`respx.mock(...)` for what goes out to vendors."""
    return respx.mock(using=_OurTransport.name, **options)
