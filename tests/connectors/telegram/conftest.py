"""A bot, a sandbox Telegram on a real port, and the faults put between them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from connectors.sandbox.base import Fault, FaultLayer
from connectors.sandbox.telegram import Chat, TelegramSandbox
from connectors.telegram.client import TelegramClient
from leads.clock import SystemClock
from tests.support.vendor_server import serve

TOKEN = "123456:TEST-token_abc"
CHAT = "5210001"
GROUP = "-100500"


@dataclass
class Bench:
    vendor: TelegramSandbox
    layer: FaultLayer
    client: TelegramClient
    url: str

    def fail(self, kind: str, **more: object) -> Fault:
        fault = Fault(kind=kind, **more)  # type: ignore[arg-type]
        self.layer.faults.append(fault)
        return fault

    def texts(self, chat: str = CHAT) -> list[str]:
        return [message.text for message in self.vendor.chat_messages(int(chat))]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = SystemClock()
    vendor = TelegramSandbox(
        clock, tokens=[TOKEN], chats=[Chat(int(CHAT), "private"), Chat(int(GROUP), "supergroup", topics=[7])]
    )
    layer = FaultLayer(vendor, clock)
    async with serve(layer) as url:
        client = TelegramClient(token=SecretStr(TOKEN), clock=clock, api_url=url)
        yield Bench(vendor, layer, client, url)
        await client.close()
