"""A touch in words, for the note on a deal and for the console."""

import re

from leads.channels import channel, host_of
from leads.records import Touch

_CHANNEL_WORDS = {
    "ad": ("реклама", "ad"),
    "organic": ("органика", "organic"),
    "social": ("соцсети", "social"),
    "email": ("рассылка", "e-mail"),
    "messenger": ("мессенджер", "messenger"),
    "call": ("звонок", "phone call"),
    "payment": ("оплата", "payment"),
    "referral": ("переход с сайта", "referral"),
    "direct": ("прямой заход", "direct"),
}
_DETAILS = (
    ("utm_campaign", "кампания", "campaign"),
    ("utm_content", "объявление", "ad"),
    ("utm_term", "запрос", "query"),
)

# (in UTM or host) -> (ru, en, ru when it is an ad, en when it is an ad)
_NAMES = {
    "yandex": ("Яндекс", "Yandex", "Яндекс.Директ", "Yandex Direct"),
    "google": ("Google", "Google", "Google Ads", "Google Ads"),
    "vk": ("ВКонтакте", "VK", "VK Реклама", "VK Ads"),
    "ok": ("Одноклассники", "OK", "Одноклассники", "OK"),
    "facebook": ("Facebook", "Facebook", "Facebook", "Facebook"),
    "instagram": ("Instagram", "Instagram", "Instagram", "Instagram"),
    "telegram": ("Telegram", "Telegram", "Telegram Ads", "Telegram Ads"),
    "whatsapp": ("WhatsApp", "WhatsApp", "WhatsApp", "WhatsApp"),
    "youtube": ("YouTube", "YouTube", "YouTube", "YouTube"),
    "bing": ("Bing", "Bing", "Microsoft Ads", "Microsoft Ads"),
    "mail.ru": ("Mail.ru", "Mail.ru", "Mail.ru", "Mail.ru"),
    "dzen": ("Дзен", "Dzen", "Дзен", "Dzen"),
    "tiktok": ("TikTok", "TikTok", "TikTok Ads", "TikTok Ads"),
    "avito": ("Авито", "Avito", "Авито", "Avito"),
    "mytarget": ("myTarget", "myTarget", "myTarget", "myTarget"),
    "linkedin": ("LinkedIn", "LinkedIn", "LinkedIn Ads", "LinkedIn Ads"),
    "duckduckgo": ("DuckDuckGo", "DuckDuckGo", "DuckDuckGo", "DuckDuckGo"),
}
_ALIASES = {
    "ya": "yandex",
    "яндекс": "yandex",
    "direct": "yandex",
    "adwords": "google",
    "vkontakte": "vk",
    "vkads": "vk",
    "odnoklassniki": "ok",
    "fb": "facebook",
    "ig": "instagram",
    "tg": "telegram",
    "wa": "whatsapp",
    "zen": "dzen",
    "t.me": "telegram",
    "wa.me": "whatsapp",
    "youtu.be": "youtube",
    "my": "mytarget",
    "go.mail.ru": "mail.ru",
}
_CLICK_SOURCES = {
    "yclid": "yandex",
    "ymclid": "yandex",
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "msclkid": "bing",
    "fbclid": "facebook",
    "ttclid": "tiktok",
    "rb_clickid": "vk",
}
_WORDS = re.compile(r"[^0-9a-zа-яё]+")
SHOWN_MAX = 80  # a note is read on a phone


def describe_touch(touch: Touch, locale: str) -> str:
    """`Яндекс.Директ, кампания «окна_весна», запрос «купить окна»`; locale "ru", else English."""
    russian = locale.startswith("ru")
    kind = touch.channel or channel(touch)
    name, known_ad = _name(touch, kind == "ad", russian)
    parts = [name] if name else []
    if kind != "ad" or not known_ad:
        words = _CHANNEL_WORDS.get(kind, (kind, kind))
        parts.append(words[0] if russian else words[1])
    for key, word_ru, word_en in _DETAILS:
        value = touch.utm.get(key, "")
        if value:
            shown = value if len(value) <= SHOWN_MAX else f"{value[: SHOWN_MAX - 1]}…"
            parts.append(f"{word_ru} «{shown}»" if russian else f"{word_en} “{shown}”")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:] if not name else text


def _name(touch: Touch, is_ad: bool, russian: bool) -> tuple[str, bool]:
    """(what a person calls the place, whether that name says already that it is an ad)."""
    source = touch.utm.get("utm_source", "")
    key = _known(source)
    if not source:
        key = next((_CLICK_SOURCES[click] for click in _CLICK_SOURCES if touch.click_ids.get(click)), "")
    host = host_of(touch.referrer) if touch.referrer and not source and not key else ""
    if host and touch.landing_page and host == host_of(touch.landing_page):
        host = ""
    key = key or _known(host)
    if key:
        ru, en, ru_ad, en_ad = _NAMES[key]
        name = (ru_ad if russian else en_ad) if is_ad else (ru if russian else en)
        return name, is_ad and (ru_ad, en_ad) != (ru, en)
    return source or host, False


def _known(text: str) -> str:
    """The key of _NAMES that a UTM source or a host means, or ""."""
    if not text:
        return ""
    words = [text, *_WORDS.split(text)]
    return next((_ALIASES.get(word, word) for word in words if _ALIASES.get(word, word) in _NAMES), "")
