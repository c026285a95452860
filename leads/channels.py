"""The channel of a touch: ad, organic, social, email, messenger, call, referral or direct."""

import re
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

from leads.records import Touch

Channel = Literal["ad", "organic", "social", "email", "messenger", "call", "referral", "direct"]
CHANNELS: tuple[Channel, ...] = ("ad", "organic", "social", "email", "messenger", "call", "referral", "direct")

PAID_CLICK_KEYS = frozenset(("gclid", "gbraid", "wbraid", "yclid", "ymclid", "msclkid", "ttclid", "rb_clickid"))
"""Put into a link by an ad system on a paid click only. fbclid is not here: Facebook marks unpaid links with it too."""

HOST_MAX = 253  # RFC 1035
_WORD_BREAKS = re.compile(r"[^0-9a-zа-яё]+")

# utm_medium, whole or one of its words -> channel. From the mediums that Google Analytics, Yandex Metrica and
# Russian agencies document or use by habit.
_MEDIUMS: dict[str, Channel] = {
    **dict.fromkeys(
        (
            *(
                "cpc",
                "ppc",
                "cpm",
                "cpa",
                "cpv",
                "cpl",
                "cpo",
                "cps",
                "paid",
                "ad",
                "ads",
                "adwords",
                "advert",
                "banner",
            ),
            *(
                "display",
                "retargeting",
                "remarketing",
                "context",
                "kontekst",
                "контекст",
                "target",
                "targeting",
                "таргет",
            ),
            *("media", "video", "teaser", "rsya", "рся", "kms", "promo", "programmatic", "interstitial", "paidsearch"),
            *("paidsocial", "offline", "print", "outdoor", "radio", "tv", "qr", "flyer", "реклама"),
        ),
        "ad",
    ),
    **dict.fromkeys(("email", "mail", "newsletter", "mailing", "rassylka", "рассылка", "digest", "letter"), "email"),
    **dict.fromkeys(
        ("social", "smm", "sm", "post", "stories", "story", "blog", "blogger", "influencer", "соцсети"), "social"
    ),
    **dict.fromkeys(("messenger", "sms", "push", "whatsapp", "viber", "chat", "bot", "чат", "max"), "messenger"),
    **dict.fromkeys(("call", "phone", "calltracking", "звонок"), "call"),
    **dict.fromkeys(("organic", "seo", "search", "organika", "органика"), "organic"),
    **dict.fromkeys(
        ("referral", "link", "partner", "affiliate", "catalog", "maps", "map", "geo", "article"), "referral"
    ),
}
_PAID_WORDS = frozenset(("paid", "cpc", "ppc", "cpm", "ad", "ads", "target", "таргет"))

# utm_source without a telling utm_medium: who tags links at all tags ads first.
_SOURCES: dict[str, Channel] = {
    **dict.fromkeys(
        ("yandex", "ya", "direct", "google", "adwords", "bing", "mytarget", "avito", "vkads", "begun", "яндекс"), "ad"
    ),
    **dict.fromkeys(
        ("vk", "vkontakte", "ok", "odnoklassniki", "facebook", "fb", "instagram", "ig", "youtube", "tiktok"), "social"
    ),
    **dict.fromkeys(
        ("linkedin", "pinterest", "twitter", "x", "dzen", "zen", "rutube", "telegram", "tg", "threads"), "social"
    ),
    **dict.fromkeys(("whatsapp", "wa", "viber", "max", "sms"), "messenger"),
    **dict.fromkeys(
        ("email", "mail", "newsletter", "unisender", "sendpulse", "mindbox", "mailchimp", "getresponse", "sendsay"),
        "email",
    ),
}

# Hosts are compared from the right: "vk.com" is also "m.vk.com". The first rule that fits is used.
_HOST_PATTERNS: tuple[tuple[Channel | Literal["none"], str], ...] = (
    ("ad", r"(?:yabs|an)\.yandex\.[a-z.]{2,6}|doubleclick\.net|googleadservices\.com|googlesyndication\.com"),
    ("ad", r"target\.my\.com|ads\.vk\.com|trk\.mail\.ru|yabs\.yandex-team\.ru"),
    (
        "email",
        r"e\.mail\.ru|mail\.(?:yandex|google|rambler|yahoo|ukr|live)\.[a-z.]{2,6}|outlook\.[a-z.]+|mail\.proton\.me",
    ),
    ("email", r"com\.google\.android\.gm|ru\.mail\.mailapp|ru\.yandex\.mail"),
    (
        "messenger",
        r"web\.whatsapp\.com|wa\.me|api\.whatsapp\.com|whatsapp\.com|web\.telegram\.org|viber\.com|max\.ru",
    ),
    ("messenger", r"messenger\.com|org\.telegram\.messenger|com\.whatsapp|com\.viber\.voip"),
    # Sign-in and payment pages send the visitor back in the middle of a visit: not where he came from.
    (
        "none",
        r"(?:accounts|pay)\.google\.[a-z.]{2,6}|(?:passport|oauth|pay)\.yandex\.[a-z.]{2,6}|id\.vk\.(?:com|ru)",
    ),
    (
        "none",
        r"yookassa\.ru|yoomoney\.ru|stripe\.com|paypal\.com|tinkoff\.ru|tbank\.ru|sberbank\.ru|robokassa\.(?:ru|com)",
    ),
    ("none", r"cloudpayments\.ru|payanyway\.ru|3dsec\.[a-z.]+|acs\.[a-z0-9.-]+"),
    (
        "social",
        r"vk\.(?:com|ru|me)|vkontakte\.ru|ok\.ru|odnoklassniki\.ru|my\.mail\.ru|dzen\.ru|zen\.yandex\.[a-z]{2,3}",
    ),
    (
        "social",
        r"t\.me|telegram\.me|telegram\.org|facebook\.com|fb\.(?:com|me)|instagram\.com|threads\.(?:net|com)",
    ),
    (
        "social",
        r"youtube\.com|youtu\.be|linkedin\.com|lnkd\.in|x\.com|t\.co|twitter\.com|tiktok\.com|pinterest\.[a-z.]+",
    ),
    (
        "social",
        r"rutube\.ru|reddit\.com|pikabu\.ru|livejournal\.com|com\.vkontakte\.android|com\.instagram\.android",
    ),
    (
        "referral",
        r"(?:docs|sites|drive|classroom|meet|calendar)\.google\.[a-z.]{2,6}|(?:market|disk|afisha)\.yandex\.[a-z]{2,3}",
    ),
    (
        "organic",
        r"google\.[a-z]{2,3}(?:\.[a-z]{2})?|yandex\.(?:[a-z]{2,3}|com\.[a-z]{2})|ya\.ru|go\.mail\.ru|bing\.com",
    ),
    (
        "organic",
        r"duckduckgo\.com|search\.yahoo\.com|[a-z]{2}\.search\.yahoo\.com|yahoo\.com|baidu\.com|nova\.rambler\.ru",
    ),
    (
        "organic",
        r"ecosia\.org|qwant\.com|startpage\.com|search\.brave\.com|perplexity\.ai|chatgpt\.com|seznam\.cz|naver\.com",
    ),
    ("organic", r"com\.google\.android\.googlequicksearchbox|ru\.yandex\.searchplugin|com\.yandex\.browser"),
)
_HOST_RULES = tuple((found, re.compile(rf"(?:^|\.)(?:{pattern})$")) for found, pattern in _HOST_PATTERNS)


def channel(touch: Touch, kind: str = "web") -> Channel:
    """How the person came.

    `kind` is what the source itself is: "web", "call", "messenger" or "email"; it decides only
    where the touch shows no way of its own (a call with UTM from call tracking is an ad). "line": a call to a number
    that bears the UTM itself, so what they do not tell is a call, too: nobody followed a link.
    Strongest first: a paid click id, utm_medium, utm_source, fbclid, the referrer, `kind`.
    """
    if any(touch.click_ids.get(key) for key in PAID_CLICK_KEYS):
        return "ad"
    found = _of_medium(touch.utm.get("utm_medium", ""))
    if found:
        return found
    found = _of_source(touch.utm)
    if found:
        return "call" if kind == "line" and found == "referral" else found
    if touch.click_ids.get("fbclid"):
        return "social"
    found = of_referrer(touch.referrer, touch.landing_page)
    if found:
        return found
    match kind:
        case "call" | "messenger" | "email":
            return kind
        case "line":
            return "call"
        case _:
            return "direct"


@lru_cache(512)
def _of_medium(medium: str) -> Channel | None:
    if not medium:
        return None
    whole = _MEDIUMS.get(_WORD_BREAKS.sub("", medium))
    if whole:
        return whole
    words = [word for word in _WORD_BREAKS.split(medium) if word]
    if any(word in _PAID_WORDS for word in words):
        return "ad"  # paid_social, cpc-search
    return next((_MEDIUMS[word] for word in words if word in _MEDIUMS), None)


def _of_source(utm: dict[str, str]) -> Channel | None:
    source = utm.get("utm_source", "")
    if not source:
        return "referral" if utm.get("utm_medium") or utm.get("utm_campaign") else None
    words = [word for word in _WORD_BREAKS.split(source) if word]
    if any(word in ("ads", "ad", "direct", "adwords") for word in words):
        return "ad"  # google_ads, yandex.direct
    found = _SOURCES.get(_WORD_BREAKS.sub("", source)) or next((_SOURCES[w] for w in words if w in _SOURCES), None)
    return found or "referral"


def host_of(url: str) -> str:
    """Lower-case host of a URL without port and `www.`; "" when there is none. Takes `example.ru/page` too."""
    text = url.strip()
    if "://" not in text:
        text = f"//{text.removeprefix('//')}"
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.").rstrip(".")


def of_referrer(referrer: str, landing_page: str = "") -> Channel | None:
    """What a referrer alone tells; None when it tells nothing: absent, the site itself, a payment or sign-in page."""
    host = host_of(referrer) if referrer else ""
    if not host or "." not in host:
        return None
    if landing_page and _same_site(host, host_of(landing_page)):
        return None
    return _of_host(host) if len(host) <= HOST_MAX else "referral"


@lru_cache(1_024)
def _of_host(host: str) -> Channel | None:
    for found, pattern in _HOST_RULES:
        if pattern.search(host):
            return None if found == "none" else found
    return "referral"


def _same_site(host: str, own: str) -> bool:
    """`shop.example.ru`, `example.ru` and `www2.example.ru` are one site; `a.co.uk` and `b.co.uk` are two."""
    if host == own or host.endswith(f".{own}") or own.endswith(f".{host}"):
        return True
    labels, own_labels = host.split("."), own.split(".")
    return len(labels) > 2 and len(own_labels) > 2 and len(labels[-2]) > 3 and labels[-2:] == own_labels[-2:]
