"""Tables of settings in docs/config.md, made from the models; run as a module it writes them anew."""

import re
import sys
from datetime import time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.doors import duration_or_off, duration_s

READ_DURATIONS = (duration_s, duration_or_off)
DOC = Path(__file__).parents[2] / "docs" / "config.md"
BLOCK = re.compile(r"<!-- settings: (\S+)((?: -\w+)*) -->\n.*?<!-- end -->", re.DOTALL)
"""`<!-- settings: package.module.Model -left_out -->` … `<!-- end -->`."""


def rewritten(text: str) -> str:
    """`text` with every table as the models say now."""
    return BLOCK.sub(lambda found: _block(found[1], found[2]), text)


def _block(path: str, left_out: str) -> str:
    module, _, name = path.rpartition(".")
    model: type[BaseModel] = getattr(import_module(module), name)
    skip = {word.removeprefix("-") for word in left_out.split()} | {"type"}
    rows = ["| setting | default | means |", "| --- | --- | --- |"]
    rows += [
        f"| `{field.alias or key}` | {_default(field)} | {_cell(field.description or '')} |"
        for key, field in model.model_fields.items()
        if key not in skip
    ]
    return "\n".join([f"<!-- settings: {path}{left_out} -->", *rows, "<!-- end -->"])


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if isinstance(value, float) and _is_duration(field):
        value = timedelta(seconds=value)
    return _shown(value)


def _is_duration(field: FieldInfo) -> bool:
    """A number of seconds that people may write as 15m."""
    return any(isinstance(one, BeforeValidator) and one.func in READ_DURATIONS for one in field.metadata)


def _shown(value: Any) -> str:
    match value:
        case None | "" | () | {}:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case timedelta():
            return f"`{_duration(value)}`"
        case time():
            return f"`{value:%H:%M}`"
        case SecretStr():
            return f"`{value.get_secret_value()}`" if value.get_secret_value() else ""
        case BaseModel():
            return "see below"
        case (int(calls), float(per_s)):
            return f"`{calls}/m`" if per_s == 60 else f"`{calls}/{per_s:g}s`"
        case tuple():
            return f"`[{', '.join(map(repr, value))}]`".replace("'", '"')
        case _:
            return f"`{value}`"


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


if __name__ == "__main__":
    before = DOC.read_text(encoding="utf-8")
    DOC.write_text(rewritten(before), encoding="utf-8")
    sys.exit(0)
