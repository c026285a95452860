"""Phones as people type them -> E.164, by Google's numbering plans (`phonenumbers`).

`phonenumbers` needs some 70 us for a number, which is most of what a lead costs to take in. A
Russian number in its usual dress, and a number seen lately, are therefore read without it; tests
hold that short cut to give exactly what the long way gives.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import Leniency, NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

TEXT_MAX = 300  # longer than any honest phone field; the rest of the text is handed back unread
CACHE_SIZE = 8_192  # about 3 MB; people who repeat do so within days
CACHED_TEXT_MAX = 40
SAME_PLAN_AS_RUSSIA = ("RU", "KZ")  # country code 7, trunk prefix 8
EXTENSION_MAX = 7
DIGITS_MIN = 7  # with the country code
AREAS_OF_7 = "346789"
"""What an area code of +7 begins with: ten digits with another beginning are a number of some other country."""


@dataclass(frozen=True, slots=True)
class PhoneResult:
    """`found`: E.164 without extension, no repeats, in the order given. `rest`: what could not be read, "" if nothing.

    `extensions` are (E.164, digits) pairs, for the note: a CRM has no place for them and they must not part
    one person in two. An empty mask (`+7 (___) ___-__-__`) or "-" is nothing at all: neither found nor rest.
    """

    found: tuple[str, ...] = ()
    rest: str = ""
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def bad(self) -> bool:
        """There is a phone that could not be read: flag the lead."""
        return bool(self.rest) and (not self.found or sum(char.isdigit() for char in self.rest) >= 5)


NOTHING = PhoneResult()


def phones(text: str, region: str) -> PhoneResult:
    """Every phone in `text`; numbers without a country code are read as of `region` ("RU", "GB", ...; "" = none)."""
    e164 = _plain_russian(text, region)
    if e164:
        return PhoneResult((e164,))
    if len(text) > CACHED_TEXT_MAX:  # strangers fill this cache
        return read_phones(text, region)
    return _phones_cached(text, region)


@lru_cache(CACHE_SIZE)
def _phones_cached(text: str, region: str) -> PhoneResult:
    return read_phones(text, region)


# --- the short cut -------------------------------------------------------------------------------

_PLAIN = re.compile(
    r"(?:(\+7|[78])[ \xa0-]?)?[ \xa0]?(?:\((\d{3})\)|(\d{3}))[ \xa0-]?(\d{3})[ \xa0-]?(\d{2})[ \xa0-]?(\d{2})", re.A
)


def _plain_russian(text: str, region: str) -> str:
    """E.164 of a Russian number in one of its usual forms, or "" for "look properly"."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return ""
    prefix, bracketed, bare, middle, tail, last = match.groups()
    if prefix != "+7" and region != "RU":
        return ""
    area = bracketed or bare
    # Only what the plan of +7 can hold: else the long way decides. Ten digits that begin with the
    # trunk prefix 8 or the country code 7 are left to it as well.
    if area[0] not in ("3489" if prefix else "349") and not (area[0] == "7" and prefix):
        return ""
    national = f"{area}{middle}{tail}{last}"
    return "" if national.count(national[0]) == len(national) else f"+7{national}"


# --- the long way ----------------------------------------------------------------------------------

_PUNCTUATION = {
    **dict.fromkeys((0x00A0, 0x2002, 0x2003, 0x2007, 0x2009, 0x200A, 0x202F, 0x3000), " "),
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0xFE63, 0xFF0D), "-"),
    **dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF), None),
    **dict.fromkeys(range(0x202A, 0x202F), None),
    **dict.fromkeys(range(0x2066, 0x206A), None),
    0x00: None,
    0xFF0B: "+",
    0xFF08: "(",
    0xFF09: ")",
    0xFF0F: "/",
    0xFF0E: ".",
}
_EXTENSION = re.compile(
    rf"""(?ix) [\s,;(]* (?: \b(?:доб(?:авочный)?|вн(?:утр(?:енний)?)?|extension|ext|экст) | (?<=[\d)\s])[xх] | \# )
    [\s.:#]* (?P<digits> \d{{1,{EXTENSION_MAX}}} ) (?!\d) \)?""",
)
_SEPARATOR = re.compile(r"\s*(?:[;|/\\\n\r\t,]+|\b(?:или|либо|и|or|and)\b|(?=\+))\s*", re.I)
_ONLY_WORDS_ABOUT_PHONES = re.compile(
    r"(?i)(?:\b(?:мой|тел(?:ефон)?|моб(?:ильный)?|сот(?:овый)?|раб(?:очий)?|дом(?:ашний)?|номер|phone|tel|mob(?:ile)?|"
    r"cell|number|whatsapp|viber|telegram|tg|wa)\b|[\W_])+"
)
_MEANS_NOTHING = frozenset(
    ("нет", "no", "none", "null", "undefined", "anonymous", "аноним", "unknown", "hidden", "n a")
)
_TRUNK_ZERO = re.compile(r"(\+[\d ]{1,5})\(0\)")
_PLUS_EIGHT = re.compile(r"^\+\s*8(?=[\s(-])")


def read_phones(text: str, region: str) -> PhoneResult:
    """The long way, uncached: what `phones` must give."""
    plain = _ascii_digits(text[:TEXT_MAX]).strip()
    if _says_nothing(plain):
        return NOTHING
    found: dict[str, str] = {}
    unread: list[str] = []
    for piece, extension in _pieces(plain):
        reading = _read_one(piece, region)
        if reading is not None:
            number, own_extension = reading
            found[number] = found.get(number, "") or extension or own_extension
            continue
        several = _search(piece, region)
        for number, own_extension in several:
            found[number] = found.get(number, "") or own_extension
        if not several and not _ONLY_WORDS_ABOUT_PHONES.fullmatch(piece):
            unread.append(piece)
    rest = " ".join(unread) if found else plain
    if len(text) > TEXT_MAX:
        rest = f"{rest} {text[TEXT_MAX:]}".strip()
    return PhoneResult(
        tuple(found), rest, tuple((number, extension) for number, extension in found.items() if extension)
    )


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text.replace("\0", "")
    text = text.encode("utf-8", "replace").decode("utf-8").translate(_PUNCTUATION)  # a lone surrogate becomes "?"
    return "".join(str(unicodedata.digit(char)) if char.isdecimal() and not char.isascii() else char for char in text)


def _says_nothing(text: str) -> bool:
    """Empty, a mask that nobody filled in (its +7 does not count), or a word for "none"."""
    digits = [char for char in text if char.isdigit()]
    if not digits:
        words = re.sub(r"[\W_]+", " ", text).strip().lower()
        return words in _MEANS_NOTHING or not words
    return len(digits) <= 3 and ("_" in text or text.startswith("+")) and not any(char.isalpha() for char in text)


def _pieces(text: str) -> list[tuple[str, str]]:
    """(piece, extension): one piece for each phone that the separators promise."""
    pieces: list[tuple[str, str]] = []
    position = 0
    marked = []
    for match in _EXTENSION.finditer(text):
        marked.append((text[position : match.start()], match["digits"]))
        position = match.end()
    marked.append((text[position:], ""))
    for chunk, extension in marked:
        parts = _split(chunk)
        if extension and parts:
            pieces.extend((part, "") for part in parts[:-1])
            pieces.append((parts[-1], extension))
        else:
            pieces.extend((part, "") for part in parts)
    return pieces


def _split(chunk: str) -> list[str]:
    """Cut at separators, but `84951234567,123` is a number and its extension: that is left in one piece."""
    parts: list[str] = []
    position = 0
    for match in _SEPARATOR.finditer(chunk):
        parts.append(chunk[position : match.start()])
        position = match.end()
    parts.append(chunk[position:])
    joined: list[str] = []
    for part in (part.strip(" .") for part in parts):
        if not part:
            continue
        if joined and part.isdigit() and len(part) <= EXTENSION_MAX - 1 and chunk.rstrip().endswith("," + part):
            joined[-1] = f"{joined[-1]} ext. {part}"
        else:
            joined.append(part)
    return joined


def _read_one(piece: str, region: str) -> tuple[str, str] | None:
    """(E.164, extension) of the one number that `piece` is, or None."""
    digits = "".join(char for char in piece if char.isdigit())
    if not 5 <= len(digits) <= 24:
        return None
    for attempt, must_be_valid in _attempts(piece, digits, region):
        try:
            number = phonenumbers.parse(attempt, region or None)
        except NumberParseException:
            continue
        if _acceptable(number, must_be_valid):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164), number.extension or ""
    return None


def _attempts(piece: str, digits: str, region: str) -> list[tuple[str, bool]]:
    """What the writer may have meant, likeliest first; the guesses must be valid, not only possible."""
    text = _TRUNK_ZERO.sub(r"\1", piece)
    russian = region in SAME_PLAN_AS_RUSSIA
    bare = text.lstrip("( .-")
    if bare.startswith("00") and digits[2:3] not in ("", "0"):
        return [("+" + _TRUNK_ZERO.sub(r"\1", "+" + bare[2:].lstrip())[1:], False), (text, True)]
    if russian and _PLUS_EIGHT.match(bare):
        return [(_PLUS_EIGHT.sub("8", bare), False)]
    attempts = [(text, False)]
    if digits.startswith("77") and len(digits) == 12:
        attempts.append((f"+7{digits[2:]}", True))  # a mask's own +7, then the number with its 7
    if bare.startswith("+"):
        if russian and digits.startswith("8") and len(digits) == 11:
            attempts.append((digits, True))
    elif len(digits) >= (11 if russian else 10):
        attempts.append((f"+{digits}", True))  # a foreign number whose plus was lost
    return attempts


def _acceptable(number: PhoneNumber, must_be_valid: bool) -> bool:
    national = str(number.national_number)
    if national.count(national[0]) == len(national) or national in ("1234567890", "123456789"):
        return False  # what people type to get past a required field; it would tie strangers together
    if len(f"{number.country_code}{national}") < DIGITS_MIN:
        return False  # possible by the plan alone, as German area codes go: nobody can be rung there
    if must_be_valid:
        return phonenumbers.is_valid_number(number)
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return False
    if number.country_code != 7:
        return True
    return (len(national) == 10 and national[0] in AREAS_OF_7) or phonenumbers.is_valid_number(number)


def _search(piece: str, region: str) -> list[tuple[str, str]]:
    """Valid numbers inside running text: two with only a space between them, or one among words and times."""
    if sum(char.isdigit() for char in piece) < 10:
        return []
    matcher = phonenumbers.PhoneNumberMatcher(piece, region or None, leniency=Leniency.VALID, max_tries=20)
    numbers = [match.number for match in matcher if _acceptable(match.number, must_be_valid=True)]
    return [(phonenumbers.format_number(number, PhoneNumberFormat.E164), number.extension or "") for number in numbers]


def country(phone: str) -> str:
    """ISO code of the country of an E.164 number ("RU"), or "" when it cannot be told."""
    if phone.startswith("+7"):
        return "KZ" if phone[2:3] in ("6", "7") else "RU"  # the plan of +7: 6 and 7 are Kazakhstan's
    try:
        code = phonenumbers.region_code_for_number(phonenumbers.parse(phone))
    except NumberParseException:
        return ""
    return code if code is not None and len(code) == 2 and code.isalpha() else ""
