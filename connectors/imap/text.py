"""The text of a letter -> what its writer wrote, what he signed with, what he forwarded."""

import re
from typing import NamedTuple

_HEAD_NAMES = r"From|От кого|От|Von|De|Sent|Отправлено|Дата|Date|To|Кому|Subject|Тема|Cc|Копия"
_HEAD_LINE = re.compile(rf"[*\s]*(?P<name>{_HEAD_NAMES})[*\s]*:[*\s]*(?P<value>.*)", re.IGNORECASE)
_ORIGINAL = re.compile(
    r"[-\s_]*(?:original message|исходное сообщение|ursprüngliche nachricht|message d'origine)[-\s_]*:?", re.IGNORECASE
)
_WROTE = re.compile(
    r"(?:on|am|le|el)\b.{6,200}\b(?:wrote|schrieb|écrit|escribió)\s*:?"
    r"|.{0,200}(?:\d{1,2}[./:-]\d{2}|\d{4}).{0,200}(?:пишет|написал[аи]?|wrote)\s*:?"
    r"|.{0,120}<[^<>\s]+@[^<>\s]+>\s*(?:пишет|написал[аи]?|wrote)?\s*:",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"[-\s_]*(?:forwarded message|begin forwarded message|weitergeleitete nachricht|пересылаемое сообщение"
    r"|пересланное сообщение|перенаправленное сообщение|начало переадресованного сообщения|переадресованное сообщение)"
    r"[-\s_:]*(?:от .{0,80})?",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(r"(?:sent from|отправлено (?:с|из)|get outlook for|von meinem|envoyé de).{0,80}", re.IGNORECASE)
_FAREWELL = re.compile(
    r"(?:с\s+(?:уважением|наилучшими пожеланиями)|best regards|kind regards|regards|sincerely|mit freundlichen grüßen)"
    r"\s*[,.!]?.{0,60}",
    re.IGNORECASE,
)
_YANDEX_HEAD = re.compile(r".{0,60}\d{1,2}[.:]\d{2}.{0,40},\s*(?P<from>[^,]*<[^<>]+>)\s*:?")
LONGEST_MARK = 400  # characters; a longer line is nobody's "On Monday … wrote:"
SIGNATURE_LINES = 12  # a farewell further from the end is no signature


class Written(NamedTuple):
    """`text` is the writer's own, `signature` what he signed with."""

    text: str
    signature: str = ""


class Forwarded(NamedTuple):
    """What a colleague forwarded: his own words, the head of the letter below them (lower-case names), its text.

    `marked`: his mail program says that it is forwarded. Without it an answer looks the same.
    """

    note: str
    head: dict[str, str]
    text: str
    marked: bool


def written(text: str) -> Written:
    """Without quotes of earlier letters. If nothing else is there, all of it: the answer may stand inside a quote."""
    lines = text.split("\n")
    kept: list[str] = []
    for number, line in enumerate(lines):
        if _begins_quote(lines, number):
            break
        if not line.startswith(">"):
            kept.append(line)
    if not any(line.strip() for line in kept):
        kept = [line.lstrip("> ") for line in lines]
    return _parted(kept)


def _begins_quote(lines: list[str], number: int) -> bool:
    line = lines[number].strip()
    if len(line) > LONGEST_MARK:
        return False
    if _ORIGINAL.fullmatch(line):
        return True
    if _WROTE.fullmatch(line) or _WROTE.fullmatch(" ".join(one.strip() for one in lines[number : number + 2])):
        return any(one.startswith(">") or one.strip() for one in lines[number + 1 :])
    return len(_head(lines, number)) >= 3


def _parted(lines: list[str]) -> Written:
    """At `-- `, else at a farewell near the end. The line that a telephone adds is dropped."""
    lines = [line for line in lines if len(line) > LONGEST_MARK or not _SENT_FROM.fullmatch(line.strip())]
    for number, line in enumerate(lines):
        if line.rstrip() == "--":
            return Written(_text(lines[:number]), _text(lines[number + 1 :]))
    for number in range(max(0, len(lines) - SIGNATURE_LINES), len(lines)):
        if _FAREWELL.fullmatch(lines[number].strip()[:LONGEST_MARK]) and any(line.strip() for line in lines[:number]):
            return Written(_text(lines[:number]), _text(lines[number:]))
    return Written(_text(lines))


def forwarded(text: str) -> Forwarded | None:
    """The letter that is forwarded in the text, as mail programs write it; None if there is none."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        plain = line.lstrip("> ").strip()
        if len(plain) > LONGEST_MARK:
            continue
        marked = bool(plain) and bool(_FORWARDED.fullmatch(plain))
        parted = marked or bool(plain and _ORIGINAL.fullmatch(plain))
        start = number + 1 if parted else number
        while parted and start < len(lines) and not lines[start].strip("> "):
            start += 1
        head = _head(lines, start)
        if not ("from" in head and (marked or len(head) >= 3)):
            short = _YANDEX_HEAD.fullmatch(lines[start].lstrip("> ").strip()) if marked and start < len(lines) else None
            if short is None:
                continue
            head, length = {"from": short["from"]}, 1
        else:
            length = _head_length(lines, start)
        rest = [one.removeprefix(">").strip() for one in lines[start + length :]]
        return Forwarded(_parted(lines[:number]).text, head, _text(rest), marked)
    return None


_NAMES = {
    "от кого": "from", "от": "from", "von": "from", "de": "from", "from": "from",
    "тема": "subject", "subject": "subject",
    "кому": "to", "to": "to", "дата": "date", "date": "date", "sent": "date", "отправлено": "date",
}  # fmt: skip


def _head(lines: list[str], start: int) -> dict[str, str]:
    """`From: … / Sent: … / To: … / Subject: …` at `start`; must begin with who wrote."""
    head: dict[str, str] = {}
    for line in lines[start : start + 8]:
        match = _HEAD_LINE.fullmatch(line.lstrip("> "))
        if match is None:
            break
        head.setdefault(_NAMES.get(match["name"].lower(), match["name"].lower()), match["value"].strip())
    first = _HEAD_LINE.fullmatch(lines[start].lstrip("> ")) if start < len(lines) else None
    known = first is not None and _NAMES.get(first["name"].lower()) in ("from", "date", "subject")
    return head if known and "from" in head else {}


def _head_length(lines: list[str], start: int) -> int:
    length = 0
    while start + length < len(lines) and _HEAD_LINE.fullmatch(lines[start + length].lstrip("> ")):
        length += 1
    return length


def _text(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
