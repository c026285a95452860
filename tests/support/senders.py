"""Senders as careful sites are: again until the answer is below 300, and then they remember what was answered."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.promises import Sent

AGAIN_S = 0.05


@dataclass
class Senders:
    """Posts to `urls`. `to` is source -> connections that it is routed to."""

    urls: list[str]
    to: Mapping[str, tuple[str, ...]]
    accepted: dict[str, Sent] = field(default_factory=dict)
    """lead_uid -> what was answered."""
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    """(monotonic seconds, seconds it took, status) of each answer; 0 when there was none."""
    client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(
            timeout=httpx.Timeout(20.0, connect=5.0), limits=httpx.Limits(max_connections=200), trust_env=False
        )
    )

    async def send(
        self, source: str, body: Mapping[str, Any], *, url: str = "", patience_s: float = 120.0
    ) -> dict[str, Any]:
        """Again, to the same address, until it is taken; the answer."""
        async with asyncio.timeout(patience_s):
            while True:
                status, answer = await self.post(url or self.urls[0], source, body)
                if status in (200, 202):
                    break
                await asyncio.sleep(AGAIN_S)
        uid = str(body["lead_uid"])
        if uid not in self.accepted:
            to = self.to[source]
            number = int(uid.rpartition("-")[2])
            self.accepted[uid] = Sent(uid, str(body["comment"]), str(body["phone"]), to, answer["lead_id"], number)
        return answer

    async def post(self, url: str, source: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """One try: (status, answer), or (0, {}) when nobody answered."""
        started = time.monotonic()
        try:
            response = await self.client.post(
                f"{url}/in/{source}", content=json.dumps(body), headers={"content-type": "application/json"}
            )
        except httpx.HTTPError:
            self.answers.append((time.monotonic(), time.monotonic() - started, 0))
            return 0, {}
        self.answers.append((time.monotonic(), time.monotonic() - started, response.status_code))
        return response.status_code, response.json() if response.content else {}

    async def close(self) -> None:
        await self.client.aclose()


def lead(person: int, number: int, **more: Any) -> dict[str, Any]:
    """Enquiry `number` of invented person `person`; the person is the same however the phone is written."""
    phone = f"{9160000000 + person}"
    written = (f"+7{phone}", f"8 ({phone[:3]}) {phone[3:6]}-{phone[6:8]}-{phone[8:]}")[number % 2]
    body = {
        "name": f"Person {person}",
        "phone": written,
        "comment": f"enquiry {person}.{number}",
        "utm_source": ("yandex", "google", "")[number % 3],
        "lead_uid": f"uid-{person}-{number}",
    }
    if person % 2:
        body["email"] = f"person{person}@example.ru"
    return {**body, **more}
