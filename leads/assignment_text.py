"""The reason of an assignment in words: for the note on the deal, the console and `leads show`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class Explained(Protocol):
    """What is needed of a Decision; a stored one has the same."""

    @property
    def reason(self) -> str: ...
    @property
    def params(self) -> Mapping[str, str]: ...
    @property
    def considered(self) -> tuple[tuple[str, str], ...]: ...


_HOW = {
    "answered": ("ответил на звонок", "answered the call"),
    "returning": ("вёл предыдущее обращение", "had this person's last enquiry"),
    "fixed": ("назначен в настройках", "set in the configuration"),
    "round_robin": ("по кругу", "in turn"),
    "weighted": ("по кругу с долями", "in turn by share"),
    "least_loaded": ("меньше всех заявок", "fewest leads"),
    "duty": ("дежурный", "on duty"),
    "fallback": ("запасной", "fallback"),
}
_WHY = {
    "closed": ("нерабочее время", "outside working hours"),
    "nobody": ("в очереди никто не доступен", "nobody in the queue is available"),
    "no_rule": ("ни одно правило не подошло", "no rule applies"),
    "off_shift": ("у всех нерабочее время", "everybody is off shift"),
}
_WHY_NOT = {
    "unknown": ("нет такого пользователя в CRM", "no such user in the CRM"),
    "inactive": ("отключён в CRM", "inactive in the CRM"),
    "absent": ("отсутствует", "absent"),
    "off_shift": ("нерабочее время", "off shift"),
    "capped": ("достиг предела заявок", "at the cap"),
    "no_rule": ("ни одно правило не подошло", "no rule applies"),
}


def explain(decision: Explained, locale: str) -> str:
    """`Анна Петрова: очередь «Окна», по кругу`; `Никто: …`; `Ждёт до 25.11 09:00: …`. Locale "ru", else English."""
    column = 0 if locale.startswith("ru") else 1
    params = decision.params
    parts = []
    if params.get("queue"):
        parts.append((f"очередь «{params['queue']}»", f"queue “{params['queue']}”")[column])
    if decision.reason in _HOW:
        how = _HOW[decision.reason][column]
        parts.append(f"{how} ({params['load']})" if "load" in params else how)
    if params.get("why") in _WHY:
        parts.append(_WHY[params["why"]][column])
    if decision.reason in ("nobody", "hold"):
        passed_over = explain_considered(decision, locale)
        parts += [passed_over] if passed_over and params.get("why") != "no_rule" else []
    return f"{_subject(decision, column)}: {', '.join(parts)}"


def _subject(decision: Explained, column: int) -> str:
    match decision.reason:
        case "nobody":
            return ("Ответственный не назначен", "Nobody is responsible")[column]
        case "hold":
            until = datetime.fromisoformat(decision.params["until"])
            return (f"Ждёт до {until:%d.%m %H:%M}", f"Waits until {until:%Y-%m-%d %H:%M}")[column]
        case _:
            return decision.params.get("user", "")


def explain_considered(decision: Explained, locale: str) -> str:
    """`Анна Петрова — отсутствует; 102 — отключён в CRM`; "" when nobody was passed over."""
    column = 0 if locale.startswith("ru") else 1
    words = [(user, _WHY_NOT.get(why, (why, why))[column]) for user, why in decision.considered]
    return "; ".join(f"{user} — {why}" if user else why for user, why in words)
