"""The enquiries that the benchmarks send: each of a new person, as a site with leadhub.js sends them."""

import json
import re


def form(number: int) -> bytes:
    """JSON body of one enquiry; `number` makes phone, e-mail and uid its own."""
    fields = {
        "name": "Мария Иванова",
        "phone": f"+7 9{number // 10_000_000 % 100:02d} {number // 10_000 % 1000:03d}-"
        f"{number // 100 % 100:02d}-{number % 100:02d}",
        "email": f"maria.{number}@example.ru",
        "comment": "Сколько стоит остекление балкона, 3 метра?",
        "form": "Расчёт стоимости",
        "page_url": "https://example.ru/balkony/?utm_source=yandex&utm_medium=cpc&utm_campaign=balkony",
        "referrer": "https://yandex.ru/",
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "balkony",
        "yclid": str(5_000_000_000 + number),
        "_ym_uid": str(1_700_000_000_000_000 + number),
        "lead_uid": f"bench-{number}",
    }
    return json.dumps(fields, ensure_ascii=False).encode()


def request(path: str, body: bytes) -> bytes:
    """The whole HTTP request, bytes on the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"User-Agent: Mozilla/5.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def phone_of(number: int) -> str:
    """Its phone in E.164."""
    return f"+79{number % 1_000_000_000:09d}"


_NUMBER = re.compile(r"maria\.(\d+)@|(?<!\d)\+?79(\d{9})(?!\d)")


def number_in(text: str) -> int | None:
    """Of the enquiry whose e-mail or phone is in the text."""
    found = _NUMBER.search(text)
    return int(found[1] or found[2]) if found else None
