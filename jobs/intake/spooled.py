"""What the spool holds, for who only looks: accepted, and not in the database yet."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from store.spool import SUFFIX, read_records


@dataclass(frozen=True, slots=True)
class SpooledLead:
    lead_id: str
    source: str
    received_at: datetime


def spooled_leads(folder: Path) -> list[SpooledLead]:
    """Oldest first; takes nothing out. A folder that is not there holds nothing."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        for record in read_records(path):
            data = json.loads(record.decode("utf-8", "surrogateescape"))
            at = datetime.fromisoformat(data["received_at"])
            found += [SpooledLead(lead_id, data["source"], at) for lead_id in data["ids"]]
    return found
