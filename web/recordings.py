"""The recording of a call, for people who are signed in and programs with a token."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from connectors.errors import ConnectorError, PermanentError
from connectors.links import Files
from jobs.calls.recording_copies import Heard
from jobs.hub import Hub
from web import api_models as shapes
from web.api_calls import CallId

PLAYED = "audio/"
PICTURES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
"""What a browser shows without running anything in it."""
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}, "application/octet-stream": {}}, "description": "The recording"},
    302: {"description": "Only the vendor has it: where"},
    404: {"model": shapes.Problem, "description": "There is no such recording, or not any more"},
    502: {"model": shapes.Problem, "description": "The vendor does not give it; the reason is in `error`"},
}


class NoRecording(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


async def recording(hub: Hub, call_id: str) -> Response:
    """Raises NoRecording, StoreUnavailable."""
    try:
        heard = await hub.library.open(call_id)
        if heard is None:
            raise NoRecording(404, "no such recording")
        if heard.content is None:
            return RedirectResponse(heard.url, 302)
        first = await anext(aiter(heard.content), b"")  # what fails, fails before the answer begins
    except ConnectorError as error:
        gone = isinstance(error, PermanentError) and error.gone
        raise NoRecording(404 if gone else 502, str(error)) from error
    return StreamingResponse(_all(first, heard.content), media_type=_kind(heard), headers={"Accept-Ranges": "none"})


async def media(hub: Hub, source: str, file_id: str) -> Response:
    """A picture, voice message or file that somebody sent in a messenger. Raises NoRecording."""
    link: object = hub.links.get(source)
    if not isinstance(link, Files):
        raise NoRecording(404, "files of this source cannot be fetched")
    try:
        kind, content = await link.file(file_id)
        first = await anext(aiter(content), b"")
    except ConnectorError as error:
        raise NoRecording(404 if isinstance(error, PermanentError) else 502, str(error)) from error
    shown = kind in PICTURES or kind.startswith((PLAYED, "video/"))
    headers = {"Cache-Control": "private, max-age=600", "X-Content-Type-Options": "nosniff"}
    if not shown:
        headers["Content-Disposition"] = "attachment"
    return StreamingResponse(
        _all(first, content), media_type=kind if shown else "application/octet-stream", headers=headers
    )


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for chunk in rest:
            yield chunk
    finally:
        close: Callable[[], Any] | None = getattr(rest, "aclose", None)
        if close is not None:
            await close()


def _kind(heard: Heard) -> str:
    """A browser plays sound; whatever else a vendor says it is becomes a file, never a page of ours."""
    return heard.content_type if heard.content_type.startswith(PLAYED) else "application/octet-stream"


def add_recordings(api: APIRouter, hub: Hub) -> None:
    @api.get("/recordings/{call_id}", tags=["calls"], responses=ANSWERS, response_class=Response)
    async def recording_of(call_id: CallId) -> Response:
        """The recording of a call (our id of it): the copy, else what the vendor has."""
        try:
            return await recording(hub, call_id)
        except NoRecording as error:
            raise HTTPException(error.status, error.why) from None
