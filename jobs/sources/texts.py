"""What is wrong at a door, and what to do about it, in Russian and English."""

import re
from typing import Final, Literal

from connectors.proofs import Kind

Trouble = Literal["secret", "token", "address", "clock", "path", "unreadable", "size", "handshake", "account"]

_BY_REASON: Final[tuple[tuple[str, Trouble], ...]] = (
    (r"token in the address", "token"),
    (r"verify.?token|confirmation string", "handshake"),
    (r"too old", "clock"),
    (r"no such address", "path"),
    (r"address that is not allowed|sender's address", "address"),
    (r"^larger than", "size"),
    (r"another shop|another community", "account"),
)

TEXTS: Final[dict[Trouble, tuple[str, str]]] = {
    "secret": (
        "the secret differs from the vendor's, or somebody else is trying",
        "секрет не тот, что у сервиса, или стучится кто-то чужой",
    ),
    "token": (
        "the token in the address is not ours: paste the address at the vendor anew (leadhub sources --show-secrets)",
        "в адресе нет нашего токена или он другой: вставьте у сервиса адрес заново (leadhub sources --show-secrets)",
    ),
    "address": (
        "sent from an address that is not let in: see allowed_ips (YooKassa: trusted_ip), and hub.trusted_proxies",
        "пришло с чужого адреса: проверьте allowed_ips (у YooKassa trusted_ip) и hub.trusted_proxies",
    ),
    "clock": (
        "the signature is too old: check the clock of this machine",
        "подпись устарела: проверьте часы этой машины",
    ),
    "path": (
        "something is appended to the address: paste it at the vendor exactly as it is here",
        "к адресу что-то приписано: вставьте его у сервиса точно как здесь",
    ),
    "unreadable": (
        "the request cannot be read: is `type` of the source right?",
        "запрос не читается: верно ли указан type источника?",
    ),
    "account": (
        "it is of another account than the one in the settings: see shop_id or group_id",
        "это события другого аккаунта, чем в настройках: проверьте shop_id или group_id",
    ),
    "size": ("the request is larger than hub.max_body", "запрос больше, чем hub.max_body"),
    "handshake": (
        "the vendor's test of the address fails: the word typed at the vendor differs from the one here",
        "проверка адреса сервисом не проходит: слово, введённое у сервиса, не то, что здесь",
    ),
}
KINDS: Final[dict[Kind, tuple[str, str]]] = {
    "signature": ("signature", "подпись"),
    "key": ("key", "ключ"),
    "token": ("token in the address", "токен в адресе"),
    "address": ("sender's address", "адрес отправителя"),
}
OPEN: Final = (
    "open to anybody who knows the address: set url_token",
    "открыт всем, кто знает адрес: задайте url_token",
)


LOST: Final = ("no connection to the vendor since {}", "нет связи с сервисом с {}")
UNREAD: Final = (
    "set {}: without it nothing can be read of what its requests name",
    "задайте {}: без него не прочитать заявки, которые запросы только называют",
)

VENDORS_RU: Final = {
    "Web form": "Форма на сайте",
    "Any form or JSON": "Любая форма или JSON",
    "E-mail box": "Почтовый ящик",
    "Call analysis": "Разбор звонков",
}
"""Doors that are no product with a name of its own."""


def vendor_text(locale: str, title: str) -> str:
    """The title of a door as the reader says it; names of products stay as they are."""
    return VENDORS_RU.get(title, title) if locale == "ru" else title


def trouble_of(status: int, reason: str) -> Trouble:
    """What kind of trouble a refusal speaks of."""
    for pattern, trouble in _BY_REASON:
        if re.search(pattern, reason):
            return trouble
    return "secret" if status in (401, 403) else "unreadable"


def in_words(locale: str, texts: tuple[str, str]) -> str:
    return texts[1] if locale == "ru" else texts[0]


def proof_text(locale: str, kinds: tuple[Kind, ...], *, asks: bool = False) -> str:
    """`signature, token in the address`; "nothing" for a door that asks for no proof. `asks`: it asks the vendor."""
    if asks:
        return in_words(locale, ("nothing, the hub asks the vendor itself", "ничего, хаб сам спрашивает у сервиса"))
    named = [in_words(locale, KINDS[kind]) for kind in dict.fromkeys(kinds)]
    return ", ".join(named) or in_words(locale, ("nothing", "ничего"))


def refusal_text(locale: str, count: int, status: int, reason: str, since: str) -> str:
    """`3 × 401 since 14:02: the secret differs from the vendor's`."""
    what = in_words(locale, TEXTS[trouble_of(status, reason)])
    return f"{count} × {status} {in_words(locale, ('since', 'с'))} {since}: {what}"
