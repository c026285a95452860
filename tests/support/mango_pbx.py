"""A PBX of Mango Office as its vendor's API shows it, and the signed events that it sends."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.sandbox.base import SandboxRequest, SandboxResponse, Table

KEY, SALT = "fakekey0mango1vpbx2api3key4aaaaa", "fakesalt0mango1vpbx2api3salt4bbb"


@dataclass(slots=True)
class MangoPbx:
    """`dialled`: (extension, number, command id) of each call back that was asked for; `recordings`: id -> the file."""

    name: str = "mango"
    dialled: list[tuple[str, str, str]] = field(default_factory=list)
    recordings: dict[str, bytes] = field(default_factory=dict)
    asked_for: list[str] = field(default_factory=list)
    refuse: int = 0
    """A code with which everything is refused."""

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        tree = json.loads(dict(request.form()).get("json", "{}"))
        if self.refuse:
            return SandboxResponse(200, {"result": self.refuse})
        if request.path.endswith("/commands/callback"):
            self.dialled.append((tree["from"]["extension"], tree["to_number"], tree["command_id"]))
            return SandboxResponse(200, {"result": 1000})
        if request.path.endswith("/queries/recording/post"):
            self.asked_for.append(tree["recording_id"])
            found = self.recordings.get(tree["recording_id"])
            if found is None:
                return SandboxResponse(404, {"code": 4404})
            return SandboxResponse(200, found, content_type="audio/mpeg")
        return SandboxResponse(404, {"code": 4001})

    def fault_answer(self, kind: Literal["500", "429", "503", "401"]) -> SandboxResponse:
        return SandboxResponse(int(kind), {"code": 5000})

    def tables(self) -> list[Table]:
        return []


def signed(tree: dict[str, Any]) -> dict[str, str]:
    """The form in which Mango sends an event."""
    sent = json.dumps(tree, separators=(",", ":"))
    return {
        "vpbx_api_key": KEY,
        "sign": hashlib.sha256(f"{KEY}{sent}{SALT}".encode()).hexdigest(),
        "json": sent,
    }
