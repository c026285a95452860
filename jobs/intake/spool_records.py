"""A request as the spool keeps it."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectors.doors import Inbound

PROOFS = ("authorization", "x-leadhub-key", "cookie")
"""Checked before; a secret has no business in a file."""


def to_record(
    source: str, inbound: Inbound, ids: Sequence[str] = (), *, over_rate: bool = False, with_proofs: bool = False
) -> bytes:
    """What the spool keeps of a request; `ids` are those that its leads were promised.

    `with_proofs`: the whole request, only ever to be kept sealed.
    """
    data: dict[str, Any] = {
        "source": source,
        "ids": list(ids),
        "over_rate": over_rate,
        "method": inbound.method,
        "path_tail": inbound.path_tail,
        "query": inbound.query,
        "headers": {name: value for name, value in inbound.headers.items() if with_proofs or name not in PROOFS},
        "body": base64.b64encode(inbound.body).decode(),
        "remote_ip": inbound.remote_ip,
        "received_at": inbound.received_at.isoformat(),
        "url": inbound.url,
    }
    return json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogateescape")


def from_record(record: bytes) -> tuple[str, Inbound, list[str], bool]:
    data = json.loads(record.decode("utf-8", "surrogateescape"))
    inbound = Inbound(
        method=data["method"],
        path_tail=data["path_tail"],
        query=[(key, value) for key, value in data["query"]],
        headers=data["headers"],
        body=base64.b64decode(data["body"]),
        remote_ip=data["remote_ip"],
        received_at=datetime.fromisoformat(data["received_at"]),
        url=data["url"],
    )
    return data["source"], inbound, data["ids"], data["over_rate"]
