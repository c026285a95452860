"""A form that came as a letter: lines `Name: …` -> fields in order."""

import re

from connectors.webform.fields import meaning_of

LABEL_MAX = 80  # characters
LABEL_WORDS = 9

_LINE = re.compile(r"[\s*•·>\-–]{0,10}(?P<label>[^:\t\n]{1,80}?)[\s*]{0,10}[:\t][\s*]{0,10}")
_DASHED = re.compile(r"(?P<label>[^:\n]{2,40}?)\s{1,10}[-–—]\s{1,10}(?=\S)")
_RULED = re.compile(r"-{2,20}\s{0,9}(?P<label>[^-\n].{0,78}?)\s{0,9}-{2,20}")
_LETTERS = re.compile(r"[^\W\d_]")
_KNOWN = frozenset(
    (
        *("name", "first_name", "middle_name", "last_name", "phone", "email", "contact", "comment", "company"),
        *("page_url", "referrer", "touch", "landing_page", "form"),
    )
)
# What stands below a form's letter is of the site, not of the visitor.
_FOOTER = re.compile(
    r"--\s*|.*\b(?:this e-?mail was sent from|это (?:письмо|сообщение) (?:было )?отправлено)\b.*", re.I
)

Fields = list[tuple[str, str]]


def form_lines(text: str) -> tuple[Fields, str]:
    """(label, value) pairs, and the lines that belong to none.

    A label may stand on a line of its own, with its value below; a value goes on in the next lines
    where its label asks for a text or it was empty so far.
    """
    fields: Fields = []
    rest: list[str] = []
    open_label = ""  # of the field that the next line may continue
    for raw in text.split("\n"):
        line = raw.strip()
        if not line:
            continue
        if len(line) < 500 and _FOOTER.fullmatch(line):
            open_label = ""
            rest.append(line)
            continue
        found = _labelled(line)
        if found is not None:
            label, value = found
            fields.append((label, value))
            open_label = label if not value or meaning_of(label).meaning == "comment" else ""
        elif open_label:
            label, value = fields[-1]
            fields[-1] = (label, f"{value}\n{line}".strip())
            if meaning_of(open_label).meaning != "comment":
                open_label = ""
        else:
            rest.append(line)
    return [(label, value.replace("\t", " ").strip()) for label, value in fields if value.strip()], "\n".join(rest)


def looks_like_form(fields: Fields) -> bool:
    """At least two fields that a form has, one of them a contact."""
    meanings = {meaning_of(label).meaning for label, _ in fields}
    return len(meanings & _KNOWN) >= 2 and bool(meanings & {"phone", "email", "contact"})


def _labelled(line: str) -> tuple[str, str] | None:
    ruled = _RULED.fullmatch(line)
    if ruled:
        return ruled["label"], ""
    match = _LINE.match(line)
    if match and _is_label(match["label"]) and not line.startswith("//", match.end()):
        return match["label"].strip(), line[match.end() :].strip(" *")
    dashed = _DASHED.match(line)
    if dashed and _known(dashed["label"]):
        return dashed["label"].strip(), line[dashed.end() :].strip()
    plain = line.strip("* ")
    return (plain, "") if len(plain) <= 40 and _known(plain) else None


def _known(label: str) -> bool:
    meaning = meaning_of(label.strip())
    return meaning.sure and meaning.meaning in _KNOWN


def _is_label(label: str) -> bool:
    plain = label.strip()
    return 0 < len(plain) <= LABEL_MAX and len(plain.split()) <= LABEL_WORDS and bool(_LETTERS.search(plain))
