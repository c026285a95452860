"""The REST API of Twilio: the list of calls and recordings, calling, the sound of a recording, answers by SMS."""

import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

import httpx

from connectors.apilink import PAGES_MAX, expected, given, needed, within
from connectors.base import Rate
from connectors.doors import Parsed
from connectors.errors import AuthError, ConnectorError, PermanentError, UnknownOutcomeError
from connectors.limits import Limiter
from connectors.links import LinkOpening, Outgoing, Refusal
from connectors.recordings import origin
from connectors.replies import ReplyLink, object_of
from connectors.trees import Tree, items, text
from connectors.twilio import sms, voice
from connectors.twilio.settings import TwilioSettings

LONGEST_CALL: Final = timedelta(hours=4)  # Twilio's own limit
WHATSAPP_WINDOW: Final = timedelta(hours=24)
PAGE: Final = "1000"
PHONE_MIN: Final = 6  # digits; what is shorter is an extension
_OVER: Final = frozenset(("completed", "busy", "failed", "no-answer", "canceled"))
_WRONG_KEYS: Final = frozenset(("20003", "20403"))


class TwilioLink(ReplyLink):
    """Reads share 10 requests a second (the vendor limits those at the same time); one call is started a second.

    WhatsApp takes free text for 24 h after the person's last message, SMS always.
    """

    operation = "twilio.send"
    max_chars = 1_600

    def __init__(self, opening: LinkOpening, settings: TwilioSettings, token: str) -> None:
        super().__init__(opening, settings.api_url, Rate(10, 1.0), secrets=(token,))
        self._settings = settings
        self._account = f"/2010-04-01/Accounts/{settings.account_sid}"
        keys = base64.b64encode(f"{settings.account_sid}:{token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {keys}"}
        self._dials = Limiter(Rate(1, 1.0), opening.clock)

    @classmethod
    def open(cls, opening: LinkOpening) -> "TwilioLink | None":
        settings = opening.settings
        if not isinstance(settings, TwilioSettings) or not settings.account_sid or settings.auth_token is None:
            return None
        return cls(opening, settings, settings.auth_token.get_secret_value())

    # --- calls that never arrived ----------------------------------------------------------------

    async def history(self, since: datetime, until: datetime) -> AsyncIterator[Parsed]:
        """Every call that ended in the window, and every recording made in it."""
        window = {"StartTime>": _iso(since - LONGEST_CALL), "StartTime<": _iso(until), "PageSize": PAGE}
        calls = [call async for call in self._pages("twilio.calls", "Calls.json", window, "calls")]
        legs: dict[str, list[Tree]] = {}
        for call in calls:
            legs.setdefault(text(call, "parent_call_sid"), []).append(call)
        whole = [call for call in legs.get("", []) if text(call, "status") in _OVER]
        for call in sorted(whole, key=lambda one: voice.time_of(text(one, "end_time"), until)):
            ended = voice.time_of(text(call, "end_time"), until - timedelta(seconds=1))
            if within(ended, since, until):
                yield self._call(call, legs.get(text(call, "sid"), []), ended)
        window = {"DateCreated>": _iso(since), "DateCreated<": _iso(until), "PageSize": PAGE}
        try:
            async for recording in self._pages("twilio.recordings", "Recordings.json", window, "recordings"):
                if text(recording, "sid") and text(recording, "call_sid"):
                    yield Parsed(calls=(voice.recording(self._recording_fields(recording), until),))
        except (AuthError, PermanentError):
            return  # a subaccount without recordings, or a key without the right to them

    def _call(self, call: Tree, legs: list[Tree], ended: datetime) -> Parsed:
        fields = _fields(call)
        told = [voice.status(fields, self.region, ended, self._settings.completed_is_answered)]
        if legs and fields["Direction"] == "inbound":
            talked = [leg for leg in legs if text(leg, "status") == "completed" and text(leg, "duration") != "0"]
            leg = (talked or legs)[0]
            status = text(leg, "status")
            dial = {
                "DialCallSid": text(leg, "sid"),
                "DialCallStatus": "no-answer" if status == "completed" and not talked else status,
                "DialCallDuration": text(leg, "duration"),
            }
            told.append(voice.dial_action({**fields, **dial}, self.region, ended))
        return Parsed(calls=tuple(told))

    def _recording_fields(self, recording: Tree) -> dict[str, str]:
        uri = text(recording, "uri").removesuffix(".json")
        return {
            "CallSid": text(recording, "call_sid"),
            "RecordingSid": text(recording, "sid"),
            "RecordingStatus": text(recording, "status"),
            "RecordingDuration": text(recording, "duration"),
            "RecordingSource": text(recording, "source"),
            "RecordingStartTime": text(recording, "start_time"),
            "RecordingUrl": f"{self._settings.api_url.rstrip('/')}{uri}" if uri else "",
        }

    async def _pages(self, operation: str, what: str, params: dict[str, str], key: str) -> AsyncIterator[Tree]:
        path: str = f"{self._account}/{what}"
        wanted: dict[str, str] | None = params
        for _ in range(PAGES_MAX):
            page = await self.http.call(operation, "GET", path, writes=False, params=wanted, headers=self._headers)
            tree = expected(page, key, operation)
            for one in items(tree, key):
                yield one
            following = urlsplit(text(tree, "next_page_uri"))
            if not following.path:
                return
            path, wanted = f"{following.path}?{following.query}", None

    # --- calls -------------------------------------------------------------------------------------

    async def dial(self, extension: str, phone: str, key: str) -> str:
        """Rings the colleague, then the client. Returns the CallSid."""
        line = needed(self._settings.caller_id, "caller_id", "twilio.dial")
        colleague = given(extension, "the employee's extension", "twilio.dial")
        digits = colleague.lstrip("+")
        if not (digits.isdecimal() and len(digits) >= PHONE_MIN):
            colleague = self._settings.employee_address.replace("{extension}", colleague)
        twiml = f"<Response><Dial callerId={quoteattr(line)}><Number>{escape(phone)}</Number></Dial></Response>"
        async with self._dials.turn():
            answer = await self.http.call(
                "twilio.dial",
                "POST",
                f"{self._account}/Calls.json",
                writes=True,
                data={"To": colleague, "From": line, "Twiml": twiml},
                headers=self._headers,
            )
        if not isinstance(answer, dict) or not text(answer, "sid"):
            raise UnknownOutcomeError("Twilio gave no CallSid", "twilio.dial")
        return text(answer, "sid")

    # --- answers -----------------------------------------------------------------------------------

    def why_not(self, message: Outgoing) -> Refusal | None:
        wrote_at = message.client_wrote_at
        if message.channel == "whatsapp" and wrote_at is not None and self.clock.now() - wrote_at >= WHATSAPP_WINDOW:
            return Refusal("window", round(WHATSAPP_WINDOW / timedelta(hours=1)))
        return super().why_not(message)

    async def hand_over(self, message: Outgoing) -> str:
        """From the number that the person wrote to."""
        to, ours = sms.ends_of(message.chat_id, message.channel)
        body = {"To": to, "From": ours, "Body": message.text, "StatusCallback": self._settings.webhook_url}
        answer = await self.http.call(
            self.operation,
            "POST",
            f"{self._account}/Messages.json",
            writes=True,
            data={name: value for name, value in body.items() if value},
            headers=self._headers,
        )
        return text(object_of(answer), "sid")

    # --- recordings --------------------------------------------------------------------------------

    async def recording(self, recording_id: str, url: str) -> tuple[str, AsyncIterator[bytes]]:
        """As MP3. Twilio's own addresses want the password of the account."""
        own = origin(url) == origin(self._settings.api_url)
        address = url if url and not (own and recording_id) else f"{self._account}/Recordings/{recording_id}"
        if not url or own:
            address = address.removesuffix(".json").removesuffix(".wav").removesuffix(".mp3") + ".mp3"
        return await self.download("twilio.recording", address, headers=self._headers)

    # --- the wire --------------------------------------------------------------------------------------

    def refusal(self, operation: str, response: httpx.Response, *, writes: bool) -> ConnectorError | None:
        """`{"code": 21211, "message": "...", "status": 400}`"""
        if not 400 <= response.status_code < 500:
            return None
        try:
            tree: Any = response.json()
        except ValueError:
            return None
        code = text(tree, "code") if isinstance(tree, dict) else ""
        if code == "20429":
            return self.too_fast(operation, response)
        if response.status_code == 401 or code in _WRONG_KEYS:
            return AuthError("Twilio does not accept account_sid or auth_token", operation, response.status_code)
        if not code:
            return None
        words = f"Twilio refuses: {self.said(text(tree, 'message'))} (code {code})"
        return PermanentError(words, operation, response.status_code, gone=response.status_code == 404)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _fields(call: Tree) -> dict[str, str]:
    """A line of the list under the names of the webhook."""
    names = {
        "CallSid": "sid",
        "From": "from",
        "To": "to",
        "CallStatus": "status",
        "Direction": "direction",
        "CallDuration": "duration",
        "Timestamp": "end_time",
        "AnsweredBy": "answered_by",
        "CallerName": "caller_name",
        "ForwardedFrom": "forwarded_from",
    }
    told = {ours: text(call, theirs) for ours, theirs in names.items()}
    return {**told, "CallbackSource": "call-progress-events"}
