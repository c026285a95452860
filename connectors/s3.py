"""Objects in S3-compatible storage: put and get, signed with AWS Signature Version 4 (docs.aws.amazon.com, 2026-11)."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from connectors.errors import AuthError, PermanentError, RetryableError
from connectors.http import trusted

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
TIMEOUT = httpx.Timeout(connect=5.0, read=60.0, write=60.0, pool=60.0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`endpoint` without a path, such as https://storage.yandexcloud.net; addressed by path: endpoint/bucket/key."""

    endpoint: str
    name: str
    region: str
    access_key: SecretStr
    secret_key: SecretStr


def sign(
    bucket: Bucket, method: str, path: str, headers: Mapping[str, str], payload_sha256: str, now: datetime
) -> dict[str, str]:
    """All headers of the request, the signature among them. `path` is encoded already; there is no query."""
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{now:%Y%m%d}/{bucket.region}/s3/aws4_request"
    sent = {
        **{name.lower(): value.strip() for name, value in headers.items()},
        "host": urlsplit(bucket.endpoint).netloc,
        "x-amz-content-sha256": payload_sha256,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{payload_sha256}"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{bucket.secret_key.get_secret_value()}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{bucket.access_key.get_secret_value()}/{scope}"
    return {
        **sent,
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }


class S3:
    """Raises RetryableError, AuthError (keys or rights), PermanentError. Putting an object again replaces it."""

    def __init__(self, bucket: Bucket, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._bucket = bucket
        self._client = httpx.AsyncClient(
            transport=transport, verify=trusted(), timeout=TIMEOUT, trust_env=False, follow_redirects=False
        )

    async def put(
        self, key: str, content: AsyncIterator[bytes], *, size: int, sha256: str, content_type: str, now: datetime
    ) -> None:
        headers = {"content-type": content_type, "content-length": str(size)}
        answer = await self._send("PUT", key, headers, sha256, now, content)
        await answer.aclose()

    async def get(self, key: str, now: datetime) -> AsyncIterator[bytes]:
        answer = await self._send("GET", key, {}, EMPTY_SHA256, now)
        return _bytes(answer)

    async def close(self) -> None:
        await self._client.aclose()

    async def _send(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str],
        sha256: str,
        now: datetime,
        content: AsyncIterator[bytes] | None = None,
    ) -> httpx.Response:
        path = quote(f"/{self._bucket.name}/{key}", safe="/-_.~")
        signed = sign(self._bucket, method, path, headers, sha256, now)
        operation = f"s3.{method.lower()}"
        request = self._client.build_request(
            method, f"{self._bucket.endpoint.rstrip('/')}{path}", headers=signed, content=content
        )
        try:
            answer = await self._client.send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            raise RetryableError(type(error).__name__, operation) from error
        status = answer.status_code
        if status in (200, 201, 204):
            return answer
        await answer.aclose()
        if status in (401, 403):
            raise AuthError("the storage does not accept the keys", operation, status)
        if status == 404 and method == "GET":
            raise PermanentError("the copy is gone from the storage", operation, status, gone=True)
        if status < 500 and status not in (408, 409, 429):
            raise PermanentError("the storage refuses", operation, status)
        raise RetryableError("the storage cannot do it now", operation, status)


async def _bytes(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    finally:
        await answer.aclose()
