"""A letter -> a lead: of its sender, of the client whose letter was forwarded, or of a form that sent it."""

import hashlib
import re
from dataclasses import replace
from datetime import datetime

from connectors.bodies import MAX_FIELDS
from connectors.doors import ParsedLead, Unreadable
from connectors.formfields import Labels, asked
from connectors.imap.formlines import Fields, form_lines, looks_like_form
from connectors.imap.mime import Mail, read_mail
from connectors.imap.settings import ImapSettings
from connectors.imap.text import forwarded, written
from connectors.webform.lead import lead_from_fields, short_uid
from leads.attribution import channel
from leads.normalize import clean_text, emails, person_name

COMMENT_MAX = 10_000  # characters; the whole letter stays in the box
_FREE_MAIL = frozenset(
    (
        *("gmail.com", "googlemail.com", "yandex.ru", "yandex.com", "ya.ru", "mail.ru", "bk.ru", "list.ru", "inbox.ru"),
        *("rambler.ru", "outlook.com", "hotmail.com", "live.com", "icloud.com", "yahoo.com", "proton.me", "gmx.de"),
    )
)
_ROBOT = re.compile(
    r"(?:no|do-?not|not?)[-_.]?reply|robot|mailer|notif(?:y|ication)s?|wordpress|www-data|info-noreply", re.I
)
_BOUNCER = re.compile(r"mailer-daemon|postmaster|mail-daemon|bounces?(?:[+=-].*)?", re.IGNORECASE)
_AUTO_SUBJECT = re.compile(
    r"(?:автоответ|автоматический ответ|automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office"
    r"|undeliver|не доставлено|недоставленное|delivery (?:status|failure|has failed)|mail delivery"
    r"|returned mail|failure notice|abwesenheitsnotiz|réponse automatique)",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^(?:\s*(?:re|fw|fwd|ha|отв|пересл|aw|wg)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_SENT_ON = re.compile(r"\s*(?:fw|fwd|пересл|wg|i|tr)\s*:", re.IGNORECASE)
_SENDER_LABELS = frozenset(("from", "от", "от кого", "отправитель", "sender"))
_SIGNED_PHONE = re.compile(
    r"(?:тел\w*|моб\w*|сот\w*|phone|tel|mob\w*|cell|whatsapp|viber|t|m|т|м)\s*[.:]+\s*(\+?[\d\s().-]{7,24}\d)"
    r"|(?:^|\n)\s*(\+[\d\s().-]{9,24}\d)\s*(?=\n|$)",
    re.IGNORECASE,
)


def read_letter(raw: bytes, settings: ImapSettings, region: str, now: datetime) -> ParsedLead | None:
    """The lead of one letter; None for bounces, automatic answers, mailings and our own letters.

    `region` is the hub's. Whether the sender is new is for the caller to see: an answer of a known
    client is a lead here like any other. Raises Unreadable for a letter that is nested absurdly deep.
    """
    try:
        mail = read_mail(raw)
    except RecursionError:
        raise Unreadable("the letter is nested too deeply") from None
    if _is_bounce(mail):
        return None
    lead = _of_mail(mail, settings, settings.region or region, now)
    if lead is None:
        return None
    uid = mail.header("message-id").strip("<> ") or f"sha256:{hashlib.sha256(raw).hexdigest()}"
    extra = {**lead.extra, **({"attachments": "; ".join(mail.attachments)} if mail.attachments else {})}
    flags = (*lead.flags, "charset_guessed") if mail.charset_guessed else lead.flags
    return replace(lead, lead_uid=short_uid(uid), extra=extra, flags=flags)


def _of_mail(mail: Mail, settings: ImapSettings, region: str, now: datetime) -> ParsedLead | None:
    sender_name, sender = next(iter(mail.addresses("from")), ("", ""))
    from_form = _is_among(sender, settings.form_senders)
    ours = _is_ours(sender, settings)
    if from_form or ours or _is_robot(sender):
        fields, rest = form_lines(written(mail.text).text)
        if from_form or looks_like_form(fields):
            return _of_form(mail, fields, rest, settings, region, now)
    if ours:
        return _of_forwarded(mail, sender, settings, region, now)
    if not sender or _is_robot(sender) or _is_mailing(mail):
        return None
    return _of_person(sender_name, sender, mail.header("subject"), mail.text, region, now)


# --- the three kinds -----------------------------------------------------------------------


def _of_person(name: str, address: str, subject: str, text: str, region: str, now: datetime) -> ParsedLead:
    """Phones are taken from where he signs or labels them, never from the middle of his text."""
    own, signature = written(text)
    phones = [match[1] or match[2] for match in _SIGNED_PHONE.finditer(f"{own}\n{signature}")]
    values = {"name": name, "email": address, "phone": ", ".join(dict.fromkeys(phone.strip() for phone in phones))}
    lead = lead_from_fields({key: value for key, value in values.items() if value}, region=region, now=now)
    title = _PREFIX.sub("", subject).strip()
    own = own.replace("\t", " ")
    comment = own if own.startswith(title) else f"{title}\n{own}".strip()
    extra = {**lead.extra, **({"signature": signature} if signature else {})}
    touch = replace(lead.touch, channel=channel(lead.touch, "email")) if lead.touch else None
    return replace(
        lead,
        comment=clean_text(comment, COMMENT_MAX),
        extra=extra,
        flags=tuple(flag for flag in lead.flags if flag != "bad_phone"),
        touch=touch,
    )


def _of_forwarded(mail: Mail, colleague: str, settings: ImapSettings, region: str, now: datetime) -> ParsedLead | None:
    """The client whose letter a colleague sent on, in the text or attached; None for what colleagues write."""
    told = forwarded(mail.text)
    lead: ParsedLead | None = None
    note = ""
    if told is not None and (told.marked or _SENT_ON.match(mail.header("subject"))):
        name, address = next(iter(_addresses(told.head["from"])), ("", ""))
        note = told.note
        fields, rest = form_lines(told.text)
        if address and _is_among(address, settings.form_senders):
            inner = Mail({"subject": told.head.get("subject", "")}, told.text)
            lead = _of_form(inner, fields, rest, settings, region, now)
        elif address and not _is_ours(address, settings):
            lead = _of_person(name, address, told.head.get("subject", mail.header("subject")), told.text, region, now)
    elif mail.inner and not _is_bounce(mail.inner[0]):
        note = written(mail.text).text
        inner_sender = next((address for _, address in mail.inner[0].addresses("from")), "")
        if inner_sender and not (_is_ours(inner_sender, settings) and mail.inner[0].inner):
            lead = _of_mail(mail.inner[0], settings, region, now)
    if lead is None:
        return None
    extra = {**lead.extra, "forwarded_by": colleague, **({"note": note} if note else {})}
    return replace(lead, extra=extra)


def _of_form(
    mail: Mail, fields: Fields, rest: str, settings: ImapSettings, region: str, now: datetime
) -> ParsedLead | None:
    """The visitor who filled it in. His address may stand in Reply-To alone; the subject names the form."""
    if mail.header("auto-submitted").lower().startswith("auto-replied"):
        return None
    values: dict[str, str] = {}
    own_names: dict[str, str] = {}
    labels = Labels()
    for label, value in fields[:MAX_FIELDS]:
        if label.casefold() in _SENDER_LABELS:  # "From: Ivan <ivan@example.ru>", as Contact Form 7 begins its letter
            person, address = next(iter(_addresses(value)), ("", ""))
            values |= {key: text for key, text in (("name", person), ("email", address)) if text and key not in values}
            continue
        name = labels.free(label)
        values[name] = value
        question = asked(name)
        if question:
            own_names[name] = question
    lead = lead_from_fields(values, region=region, now=now, own_names=own_names)
    if not lead.emails:
        answers_to = [
            (name, address)
            for name, address in mail.addresses("reply-to")
            if not _is_ours(address, settings) and not _is_among(address, settings.form_senders)
        ]
        if answers_to:
            lead = replace(
                lead,
                name=lead.name or answers_to[0][0],
                emails=(answers_to[0][1],),
                flags=tuple(flag for flag in lead.flags if flag != "no_contact"),
            )
    subject = _PREFIX.sub("", mail.header("subject")).strip()
    comment = lead.comment or (rest.replace("\t", " ") if not fields else "")
    extra = {**lead.extra, **({"letter text": clean_text(rest, 2_000)} if rest and fields else {})}
    return replace(lead, form=lead.form or person_name(subject), comment=clean_text(comment, COMMENT_MAX), extra=extra)


# --- who writes ----------------------------------------------------------------------------


def _addresses(text: str) -> list[tuple[str, str]]:
    """`Ivan <ivan@example.ru>`, `Ivan [mailto:ivan@example.ru]`, also without brackets."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">")
    shown = person_name(re.split(r"[<\[(]", plain)[0].strip(" \"'*"))
    name = "" if "@" in shown else shown
    return [(name, address) for address in emails(plain.replace("mailto:", " ")).found]


def _is_among(address: str, senders: tuple[str, ...]) -> bool:
    domain = address.rpartition("@")[2]
    return bool(address) and any(
        address == sender or ("@" not in sender and (domain == sender or domain.endswith(f".{sender}")))
        for sender in senders
    )


def _is_ours(address: str, settings: ImapSettings) -> bool:
    """The box itself, what `own` names, and everybody of the box's domain unless anybody may have an address there."""
    user = settings.user.strip().lower()
    domain = user.rpartition("@")[2] if "@" in user else ""
    return bool(address) and (
        address == user
        or _is_among(address, settings.own)
        or (bool(domain) and domain not in _FREE_MAIL and address.rpartition("@")[2] == domain)
    )


def _is_robot(address: str) -> bool:
    return bool(_ROBOT.search(address.partition("@")[0]))


def _is_bounce(mail: Mail) -> bool:
    """A report that something was not delivered, or an answer that nobody wrote."""
    local = next((address.partition("@")[0] for _, address in mail.addresses("from")), "")
    answers = mail.header("auto-submitted").lower().startswith("auto-replied")
    return (
        mail.content_type == "multipart/report"
        or bool(_BOUNCER.fullmatch(local))
        or mail.header("return-path").replace(" ", "") == "<>"
        or "x-failed-recipients" in mail.headers
        or answers
        or any(name in mail.headers for name in ("x-autoreply", "x-autorespond", "x-autoresponder"))
        or mail.header("precedence").lower() in ("auto_reply", "auto-reply")
        or bool(_AUTO_SUBJECT.match(_PREFIX.sub("", mail.header("subject")).strip()))
    )


def _is_mailing(mail: Mail) -> bool:
    """What is sent to many, or by a machine of its own accord."""
    return (
        mail.header("precedence").lower() in ("bulk", "list", "junk")
        or any(name in mail.headers for name in ("list-id", "list-unsubscribe"))
        or mail.header("auto-submitted").lower().startswith("auto-")
    )
