"""One Telegram chat as an alert channel."""

import httpx

from connectors.errors import AuthError
from connectors.notify import MessageRef, Notice
from connectors.telegram.client import TelegramClient
from connectors.telegram.settings import TelegramSettings
from leads.clock import Clock


class TelegramChannel:
    """Keeps `connectors.notify.Channel`."""

    edits = True

    def __init__(self, settings: TelegramSettings, client: TelegramClient) -> None:
        self.settings = settings
        self.client = client
        self._chat_id = str(settings.chat_id)

    @classmethod
    def open(
        cls,
        settings: TelegramSettings,
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        user_agent: str = "leadhub",
    ) -> "TelegramChannel":
        client = TelegramClient(
            token=settings.bot_token,
            clock=clock,
            api_url=settings.api_url,
            transport=transport,
            timeout_s=settings.timeout_s,
            user_agent=user_agent,
        )
        return cls(settings, client)

    async def ping(self) -> None:
        """Proves the token and that the bot sees the chat; sends nothing."""
        await self.client.get_me()
        try:
            await self.client.get_chat(self._chat_id)
        except AuthError as error:
            if error.status != 404:  # the token is proven: a server of one's own without this method
                raise

    async def send(self, notice: Notice, reply_to: MessageRef | None = None) -> MessageRef:
        return await self.client.send_message(
            self._chat_id,
            notice.html,
            buttons=notice.buttons,
            reply_to=reply_to.message_id if reply_to else "",
            thread_id=self.settings.message_thread_id,
            silent=notice.silent,
        )

    async def edit(self, ref: MessageRef, notice: Notice) -> None:
        await self.client.edit_message(ref.chat_id, ref.message_id, notice.html, buttons=notice.buttons)

    async def close(self) -> None:
        await self.client.close()
