"""A call in one line, for people: in the note, in the CRM's list of calls, in the console."""

from datetime import tzinfo

from leads.calls import Call

_WORDS = {
    "ru": {
        "in": "Входящий звонок",
        "out": "Исходящий звонок",
        "answered": "разговор",
        "missed": "пропущен",
        "no_answer": "не ответили",
        "busy": "занято",
        "failed": "не состоялся",
        "voicemail": "голосовая почта",
        "to": "на номер",
        "from": "с номера",
        "rang": "звонил",
        "s": "с",
    },
    "en": {
        "in": "Incoming call",
        "out": "Outgoing call",
        "answered": "talked",
        "missed": "missed",
        "no_answer": "no answer",
        "busy": "busy",
        "failed": "failed",
        "voicemail": "voicemail",
        "to": "to",
        "from": "from",
        "rang": "rang",
        "s": "s",
    },
}


def call_line(call: Call, locale: str) -> str:
    """`Входящий звонок: разговор 1:27, на номер +74951112233 (Билборд)`; locale "ru", else English."""
    words = _WORDS["ru" if locale.startswith("ru") else "en"]
    parts = [words.get(call.disposition, call.disposition)]
    if call.disposition == "answered" and call.talk_s is not None:
        parts[0] += f" {call.talk_s // 60}:{call.talk_s % 60:02}"
    elif call.ring_s:
        parts.append(f"{words['rang']} {call.ring_s} {words['s']}")
    if call.line:
        # Ours: the number that a client called, or from which we called him.
        way = words["from" if call.direction == "out" else "to"]
        parts.append(f"{way} {call.line}" + (f" ({call.line_title})" if call.line_title else ""))
    if who := call.employee or call.extension:
        parts.append(who)
    return f"{words.get(call.direction, words['in'])}: {', '.join(parts)}"


_RECORDED = {"ru": ("Запись разговора", "%d.%m.%Y %H:%M"), "en": ("Recording of the call", "%d %b %Y %H:%M")}


def recording_line(call: Call, locale: str, zone: tzinfo, link: str) -> str:
    """`Запись разговора 24.11.2026 14:02, 1:27: https://...`"""
    words, form = _RECORDED["ru" if locale.startswith("ru") else "en"]
    at = f" {call.started_at.astimezone(zone):{form}}" if call.started_at else ""
    length = f", {call.talk_s // 60}:{call.talk_s % 60:02}" if call.talk_s else ""
    return f"{words}{at}{length}: {link}"
