"""A failed call in words: what is wrong, and what to do about it."""

from collections.abc import Callable
from html import unescape
from typing import NamedTuple

from connectors.errors import ConnectorError
from jobs.alerts.causes import cause_of, code_of
from jobs.alerts.parts import cause_text
from jobs.alerts.words import Style

Say = Callable[[str, str], str]
"""(English, Russian) -> the one of the reader."""


class Trouble(NamedTuple):
    text: str
    advice: str


def trouble(error: ConnectorError | TimeoutError, locale: str, *, who: str = "", sign_in: str = "") -> Trouble:
    """`who` failed, when it is not the CRM; `sign_in` is the command that gets a new token, where there is one."""

    def say(english: str, russian: str) -> str:
        return russian if locale == "ru" else english

    status = getattr(error, "status", 0)
    if status in (404, 405, 410) or 300 <= status < 400:
        who = who or say("the CRM", "CRM")
        text = say(
            f"{who} answers {status}: what is asked for is not at this address",
            f"{who} отвечает {status}: по этому адресу нет того, что нужно",
        )
        return Trouble(text, say("check the address in the configuration", "проверьте адрес в конфигурации"))
    code = cause_of(error) if isinstance(error, ConnectorError) else "timeout"
    if code in ("validation", "gone"):
        code = code_of(str(error))
    known = str(error) if code_of(str(error)) == code else code  # the text may name its CRM
    text = unescape(cause_text(known, Style(locale=locale), who)) or str(error)
    if 400 <= status < 500 and str(error) not in text:
        text = f"{text} ({error})"
    return Trouble(text, _advice(code, say, sign_in))


def _advice(code: str, say: Say, sign_in: str) -> str:
    match code:
        case "token" | "not_signed_in":
            return sign_in or say("a new token in the configuration", "новый токен в конфигурации")
        case "sealed":
            lost = f": {sign_in}" if sign_in else ""
            return say(
                f"put the old key at the end of the list hub.secret_key (one that the hub made is in var/secret.key)"
                f"; if it is lost, sign in again{lost}",
                f"верните старый ключ в конец списка hub.secret_key (созданный хабом лежит в var/secret.key)"
                f"; если он потерян, войдите заново{lost}",
            )
        case "rights":
            return say(
                "give the token the rights that docs/crm-*.md name", "дайте токену права, названные в docs/crm-*.md"
            )
        case "unpaid":
            return say("pay for the account; leads wait meanwhile", "оплатите аккаунт; лиды пока ждут")
        case "flood":
            return say("write to its support; leads wait meanwhile", "напишите в её поддержку; лиды пока ждут")
        case "no_host" | "network" | "untrusted":
            return say(
                "check the address in the configuration, and the network, DNS, time and firewall of this machine",
                "проверьте адрес в конфигурации, а на этой машине сеть, DNS, время и файрвол",
            )
    return say("nothing on this side; leads wait meanwhile", "на нашей стороне делать нечего; лиды пока ждут")
