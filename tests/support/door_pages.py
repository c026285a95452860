"""docs/doors.md, made from what the doors declare; run as a module it writes it anew."""

import sys
from pathlib import Path

from connectors.doors import DoorSettings
from connectors.registry import SOURCES
from tests.support.settings_tables import rewritten

DOC = Path(__file__).parents[2] / "docs" / "doors.md"
GROUPS = {
    "form": "Forms",
    "telephony": "Telephony",
    "messenger": "Messengers",
    "ads": "Advertising",
    "tracking": "Call tracking and widgets",
    "shop": "Shops and back office",
    "payment": "Payments",
}
HEAD = """# Doors

Where leads come from. `type` of a source in config.yaml names its door; what every source may set besides stands in
[config.md](config.md). `url_token` makes the address `/in/SOURCE/TOKEN`: set it for vendors that sign nothing.
`leadhub sources --show-secrets` prints the address to paste at the vendor, `leadhub source test NAME` sends a signed
sample to it; what was refused is listed by `leadhub sources refused` and, once the secret is mended, let in by
`leadhub sources rerun NAME`.
"""


def page() -> str:
    parts = [HEAD]
    common = " ".join(f"-{name}" for name in DoorSettings.model_fields)
    for group, title in GROUPS.items():
        doors = sorted((door for door in SOURCES.values() if door.group == group), key=lambda door: door.title.lower())
        if doors:
            parts.append(f"## {title}\n")
        for door in doors:
            model = door.settings
            parts.append(f"### {door.title}\n\n`type: {door.name}`\n")
            if set(model.model_fields) - set(DoorSettings.model_fields):
                path = f"{model.__module__}.{model.__name__}"
                parts.append(f"<!-- settings: {path} {common} -->\n<!-- end -->\n")
            else:
                parts.append("Nothing of its own to set.\n")
    return rewritten("\n".join(parts))


if __name__ == "__main__":
    DOC.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{DOC}\n")
