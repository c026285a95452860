"""Recordings are copied before the vendor deletes them, whole or not at all, and can be heard by who is signed in."""

import hashlib
import json
import random
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors.errors import AuthError, PermanentError, RetryableError
from connectors.pbx import CopySettings
from connectors.s3 import EMPTY_SHA256, S3, Bucket, sign
from connectors.sandbox.base import FaultLayer
from jobs.calls.copy_store import Copied, Folder, TooLarge, file_name, open_store
from store.call_tables import t_call_recording
from store.users import create_token
from tests.jobs.test_path_events import ALL
from tests.support.hub_on_virtual_time import UNHURRIED, VirtualHub, config, hub, virtual
from tests.support.mango_pbx import KEY, SALT, MangoPbx, signed

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
SOUND = b"ID3" + bytes(range(256)) * 900


async def chunks(content: bytes = SOUND, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in content])


# --- a folder --------------------------------------------------------------------------------------------------------


async def test_a_file_is_there_whole_and_for_the_owner_only(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "var" / "recordings", 1_000_000)
    for _ in range(2):
        copied = await folder.put(file_name("c1", NOW, "audio/mpeg"), "audio/mpeg", chunks(), NOW)
    assert copied == Copied("2026/11/c1.mp3", len(SOUND))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["c1.mp3"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert await read(await folder.get(copied.place, NOW)) == SOUND
    files[0].unlink()
    with pytest.raises(PermanentError) as caught:
        await folder.get(copied.place, NOW)
    assert caught.value.gone


async def test_what_is_too_large_or_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield SOUND
        raise RetryableError("broke off")

    with pytest.raises(TooLarge):
        await Folder(tmp_path, len(SOUND) - 1).put("a.mp3", "audio/mpeg", chunks(), NOW)
    with pytest.raises(RetryableError):
        await Folder(tmp_path, 1_000_000).put("a.mp3", "audio/mpeg", broken(), NOW)
    assert list(tmp_path.iterdir()) == []


# --- S3 --------------------------------------------------------------------------------------------------------------

# The example of "Authenticating Requests: Using the Authorization Header" in Amazon's reference of S3.
EXAMPLE = Bucket(
    "https://examplebucket.s3.amazonaws.com",
    "examplebucket",
    "us-east-1",
    SecretStr("AKIAIOSFODNN7EXAMPLE"),
    SecretStr("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
)


def test_the_signature_is_that_of_the_vendor_s_example() -> None:
    at = datetime(2013, 5, 24, tzinfo=UTC)
    signed_headers = sign(EXAMPLE, "GET", "/test.txt", {"Range": "bytes=0-9"}, EMPTY_SHA256, at)
    wanted = "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signed_headers["authorization"].endswith(wanted)


class Objects(httpx.AsyncBaseTransport):
    """S3-compatible storage in memory that checks signatures."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.kept: dict[str, bytes] = {}
        self.status = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if self.status:
            return httpx.Response(self.status)
        path, sent = request.url.raw_path.decode(), request.headers
        named = sent["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        own = {name: sent[name] for name in named if name not in ("host", "x-amz-date", "x-amz-content-sha256")}
        at = datetime.strptime(sent["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        digest = hashlib.sha256(body).hexdigest()
        right = sign(self.bucket, request.method, path, own, digest, at)["authorization"]
        if sent["authorization"] != right or int(sent.get("content-length", "0")) != len(body):
            return httpx.Response(403)
        if request.method == "PUT":
            self.kept[path] = body
            return httpx.Response(200)
        return httpx.Response(200, content=self.kept[path]) if path in self.kept else httpx.Response(404)


async def test_copies_go_to_s3_compatible_storage_and_come_back(tmp_path: Path) -> None:
    keys = {"access_key": "id", "secret_key": "secret"}
    settings = CopySettings.model_validate(
        {"copy_to": "s3://calls/лиды 1", "endpoint": "https://storage.test", "region": "ru-central1", **keys}
    )
    bucket = Bucket("https://storage.test", "calls", "ru-central1", SecretStr("id"), SecretStr("secret"))
    storage = Objects(bucket)
    store = open_store(settings, tmp_path, storage)
    copied = await store.put("2026/11/c1.mp3", "audio/mpeg", chunks(), NOW)
    assert await read(await store.get(copied.place, NOW)) == SOUND
    assert list(storage.kept) == ["/calls/%D0%BB%D0%B8%D0%B4%D1%8B%201/2026/11/c1.mp3"]
    for status, error in ((403, AuthError), (404, PermanentError), (503, RetryableError), (429, RetryableError)):
        storage.status = status
        with pytest.raises(error):
            await store.get("x", NOW)
    await store.close()
    wrong = S3(Bucket("https://storage.test", "calls", "ru-central1", SecretStr("id"), SecretStr("other")), storage)
    storage.status = 0
    with pytest.raises(AuthError):
        await wrong.get("2026/11/c1.mp3", NOW)
    await wrong.close()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"copy_to": "s3:///x"}, "names no bucket"),
        ({"copy_to": "s3://calls"}, "needs access_key"),
        ({"copy_to": "x", "endpoint": "ftp://x"}, "must begin with https"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CopySettings.model_validate(wrong)


# --- the whole way ---------------------------------------------------------------------------------------------------


def sources(**more: Any) -> str:
    settings = {"type": "mango", "vpbx_api_key": KEY, "vpbx_api_salt": SALT, **more}
    return f"pbx: {json.dumps(settings)}"


async def call_recorded(h: VirtualHub) -> str:
    """A missed call of which the PBX has a recording; returns our id of it."""
    ends = {"from": {"number": "79990001122"}, "to": {"extension": "101"}, "line_number": "74950000101"}
    times = {"create_time": 1795507200, "talk_time": 1795507211, "end_time": 1795507298}
    summary = {"entry_id": "e1", "call_direction": 1, **ends, **times, "entry_result": 1, "disconnect_reason": 1110}
    added = {"entry_id": "e1", "recording_id": "r1", "timestamp": 1795507300, "user_id": "1"}
    for path, tree in (("events/summary", summary), ("events/record/added", added)):
        answer = await h.request("POST", f"/in/pbx/{path}", data=signed(tree))
        assert answer.status_code == 200, answer.text
    (row,) = h.rows(t_call_recording)
    return str(row.id)


@virtual
async def test_a_copy_is_made_once_the_vendor_has_the_file_and_outlives_it() -> None:
    pbx = MangoPbx()

    def prepare(h: VirtualHub) -> None:
        h.world.layers["mango"] = FaultLayer(pbx, h.clock, random.Random(1))

    text = config(
        ALL, sources=sources(recordings={"copy_to": "var/recordings"}), hub="public_url: 'https://hub.test', "
    )
    async with hub(text, prepare=prepare) as h:
        call_id = await call_recorded(h)
        token = h.write(lambda conn: create_token(conn, "bi", h.clock.now()))
        headers = {"Authorization": f"Bearer {token}"}
        await h.wait(120.0)
        assert [row.copy_state for row in h.rows(t_call_recording)] == ["owed"]
        missing = await h.request("GET", f"/api/v1/recordings/{call_id}", headers=headers)
        assert missing.status_code == 502, missing.text
        pbx.recordings["r1"] = SOUND
        await h.until(lambda: h.rows(t_call_recording)[0].copy_state == "copied", 600.0)
        pbx.recordings.clear()
        heard = await h.request("GET", f"/api/v1/recordings/{call_id}", headers=headers)
        assert (heard.status_code, heard.headers["content-type"], heard.content) == (200, "audio/mpeg", SOUND)
        assert (await h.request("GET", f"/api/v1/recordings/{call_id}")).status_code == 401
        assert (await h.request("GET", f"/api/v1/recordings/{call_id}x", headers=headers)).status_code == 404
        stranger = await h.request("GET", f"/recordings/{call_id}", follow_redirects=False)
        assert stranger.status_code in (302, 303, 403)
        link = f"https://hub.test/recordings/{call_id}"
        await h.until(lambda: any(link in note for note in h.notes("amo")), 60.0)


@virtual
async def test_without_copies_the_vendor_is_asked_when_somebody_wants_to_hear_it() -> None:
    pbx = MangoPbx(recordings={"r1": SOUND})

    def prepare(h: VirtualHub) -> None:
        h.world.layers["mango"] = FaultLayer(pbx, h.clock, random.Random(1))

    text = config(ALL, sources=sources(), hub="public_url: 'https://hub.test', ")
    async with hub(text, prepare=prepare) as h:
        call_id = await call_recorded(h)
        token = h.write(lambda conn: create_token(conn, "bi", h.clock.now()))
        await h.wait(120.0)
        assert pbx.asked_for == []
        headers = {"Authorization": f"Bearer {token}"}
        heard = await h.request("GET", f"/api/v1/recordings/{call_id}", headers=headers)
        assert (heard.status_code, heard.content) == (200, SOUND)


@virtual
async def test_an_address_in_our_own_network_is_not_fetched() -> None:
    text = config(ALL, sources="pbx: {type: asterisk, recordings: {copy_to: copies}}")
    async with hub(text, pace=UNHURRIED) as h:
        event = {"uniqueid": "c1", "event": "hangup", "direction": "in", "caller": "+79161234567", "duration": "9"}
        await h.request("POST", "/in/pbx", data={**event, "recording": "http://169.254.169.254/latest/meta-data"})
        await h.until(lambda: h.rows(t_call_recording)[0].copy_tries > 0, 300.0)
        (row,) = h.rows(t_call_recording)
        assert "private network" in row.copy_error
        await h.until(lambda: h.rows(t_call_recording)[0].copy_state == "failed", 7200.0)
