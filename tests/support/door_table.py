"""The table of doors in both READMEs, made from what the doors declare and do; run as a module it writes it anew."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connectors.doors import Door, DoorSettings, Parsed
from connectors.links import Dials, Link, LinkOpening, Listens, Lists, Records, Replies
from connectors.proofs import possible
from connectors.registry import SOURCES, sample_of
from leads.clock import SystemClock
from tests.connectors.test_sample_files import EXPECTED, request_of, settings_of, taken
from tests.support.all_doors import settings_of as all_proofs
from tests.support.door_pages import GROUPS
from tests.support.requests import NOW

ROOT = Path(__file__).parents[2]
READMES = {"en": ROOT / "README.md", "ru": ROOT / "README.ru.md"}
BLOCK = re.compile(r"<!-- doors -->\n.*?<!-- end -->", re.DOTALL)

HEAD = {
    "en": "| vendor | `type` | proof | gives | the hub can also |",
    "ru": "| сервис | `type` | чем доказывает | что даёт | что ещё может хаб |",
}
RUSSIAN_GROUPS = {
    "form": "Формы",
    "telephony": "Телефония",
    "messenger": "Мессенджеры",
    "ads": "Реклама",
    "tracking": "Коллтрекинг и виджеты",
    "shop": "Магазины и учёт",
    "payment": "Оплаты",
}
PROOFS = {
    "en": {"signature": "signature", "key": "key", "token": "token", "address": "addresses"},
    "ru": {"signature": "подпись", "key": "ключ", "token": "токен", "address": "адреса"},
}
GIVES = {
    "en": {"leads": "leads", "calls": "calls", "messages": "messages", "payments": "payments", "errands": "read"},
    "ru": {"leads": "лиды", "calls": "звонки", "messages": "сообщения", "payments": "оплаты", "errands": "чтение"},
}
ALSO = {
    "1c": "payments",
    "callibri": "calls",
    "calltouch": "leads",
    "envybox": "calls",
    "moysklad": "payments",
    "roistat": "leads",
    "shopify": "payments",
    "woocommerce": "payments",
}
"""Kinds that a door makes of events of which there is no sample file; its own tests show them."""
OPTIONAL: dict[str, dict[str, Any]] = {
    "asterisk": {"ami": {"host": "pbx", "username": "hub", "secret": "x"}},
    "telegram": {"polling": True},
}
"""Settings without which an ability is not there."""
REPORTS = {"en": "reports only", "ru": "только отчёты"}
ONLY_NAMED = {
    "call_insight": ("notes on calls", "заметки к звонкам"),
    "imap": ("leads, read in the box", "лиды, читаются из ящика"),
    "meta": ("leads, read at Meta", "лиды, читаются у Meta"),
    "moysklad": ("leads and payments, read at MoySklad", "лиды и оплаты, читаются у МоегоСклада"),
}
"""What comes of requests that only name something."""
ABILITIES: tuple[tuple[Any, str, str], ...] = (
    (Lists, "history", "история"),
    (Replies, "reply", "ответ"),
    (Dials, "dial", "набор"),
    (Records, "recordings", "записи"),
    (Listens, "listen", "слушать"),
)


def gives(door: Door) -> list[str]:
    """Kinds of what its sample and the sample files make."""
    found: list[Parsed] = []
    try:
        settings = all_proofs(door.name)
        found.append(door.parse(settings, sample_of(door.name)(settings, "https://hub.example.test/in/x", NOW), "RU"))
    except ModuleNotFoundError:
        pass
    for file in EXPECTED:
        if file.startswith(f"{door.name}/"):
            made = taken(file, settings_of(file), request_of(file))
            found += [made] if isinstance(made, Parsed) else []
    return [k for k in GIVES["en"] if k == ALSO.get(door.name) or any(getattr(one, k) for one in found)]


async def abilities(door: Door) -> list[tuple[str, str]]:
    """What the link offers with every setting that it may have."""
    if door.link is None:
        return []
    opened: Link | None = door.link(LinkOpening(door.name, _with_everything(door), SystemClock(), "RU"))
    if opened is None:
        return []
    try:
        return [(en, ru) for protocol, en, ru in ABILITIES if isinstance(opened, protocol)]
    finally:
        await opened.close()


def _with_everything(door: Door) -> DoorSettings:
    """Each secret and number of an account filled in: some links offer only what they have the keys for."""
    settings = all_proofs(door.name, **OPTIONAL.get(door.name, {}))
    empty = {
        name: SecretStr("1:x") if "Secret" in str(field.annotation) else "https://example.com" if "url" in name else "1"
        for name, field in door.settings.model_fields.items()
        if name not in ("timezone", "region", "title", "webhook_url")
        if getattr(settings, name) in (None, "") and ("Secret" in str(field.annotation) or field.annotation is str)
    }
    return settings.model_copy(update=empty)


def table(locale: str) -> str:
    rows = [HEAD[locale], "| --- | --- | --- | --- | --- |"]
    for group, title in GROUPS.items():
        doors = sorted((door for door in SOURCES.values() if door.group == group), key=lambda door: door.title.lower())
        if doors:
            rows.append(f"| **{RUSSIAN_GROUPS[group] if locale == 'ru' else title}** | | | | |")
        rows += [_row(door, locale) for door in doors]
    return "\n".join(rows)


def _row(door: Door, locale: str) -> str:
    proofs = dict.fromkeys(PROOFS[locale][proof.kind] for proof in possible(door.settings)) if door.methods else {}
    kinds = gives(door)
    made = ", ".join(GIVES[locale][kind] for kind in kinds if kind != "errands")
    if door.name in ONLY_NAMED:
        made = ONLY_NAMED[door.name][locale == "ru"]
    made = made or REPORTS[locale]
    can = [ru if locale == "ru" else en for en, ru in asyncio.run(abilities(door))]
    return f"| {door.title} | `{door.name}` | {', '.join(proofs)} | {made} | {', '.join(can)} |"


def rewritten(text: str, locale: str) -> str:
    """`text` of a README with the table as the doors are now."""
    made = f"<!-- doors -->\n{table(locale)}\n<!-- end -->"
    assert BLOCK.search(text), "the README has no place for the table of doors"
    return BLOCK.sub(lambda _: made, text)


if __name__ == "__main__":
    for locale_, file_ in READMES.items():
        file_.write_text(rewritten(file_.read_text(encoding="utf-8"), locale_), encoding="utf-8")
        sys.stdout.write(f"{file_}\n")
