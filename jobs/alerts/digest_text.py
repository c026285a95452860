"""The owner's day in a few lines: yesterday's enquiries, and what of them needs a look."""

from dataclasses import dataclass
from datetime import date

from jobs.alerts.words import Raw, Style
from leads.incidents import Observation


@dataclass(frozen=True, slots=True)
class DayDigest:
    """Counts of one local day. `recovered` is (calls, vendor) from a telephony's own statistics.

    `no_source_form` is the form that most of the leads without a source came from, `no_source_of_form` how many.
    """

    day: date
    accepted: int
    delivered: int
    not_arrived: int
    within_5s: int = 0
    slowest_s: float = 0.0
    slowest_why: str = ""
    repeats: int = 0
    recovered: tuple[tuple[int, str], ...] = ()
    conflicts: int = 0
    spam: int = 0
    no_source: int = 0
    no_source_form: str = ""
    no_source_of_form: int = 0


def digest_text(digest: DayDigest, today: date, style: Style) -> str:
    """HTML lines. Lines about nothing are left out."""
    key = "digest" if (today - digest.day).days == 1 else "digest_other_day"
    lines = [style.say(key, day=style.day(digest.day))]
    if not digest.accepted:
        return "\n".join([*lines, style.say("digest_none")])
    missing = style.say("digest_missing", n=digest.not_arrived)
    if digest.not_arrived:
        where = style.where("/", f"leadhub status --day {digest.day}")
        missing = style.say("digest_missing_where", n=digest.not_arrived, where=where)
    lines.append(style.say("digest_total", n=digest.accepted, delivered=digest.delivered, missing=Raw(missing)))
    lines.append(_speed(digest, style))
    lines.append(_details(digest, style))
    lines.append(_no_source(digest, style))
    return "\n".join(line for line in lines if line)


def digest_observation(digest: DayDigest, today: date, styles: dict[str, Style]) -> Observation:
    """As an incident that happens once per day, so that a restart sends it neither twice nor never."""
    texts = {locale: digest_text(digest, today, style) for locale, style in styles.items()}
    return Observation("owner_digest", connection=str(digest.day), data={"html": texts})


def _speed(digest: DayDigest, style: Style) -> str:
    if not digest.delivered:
        return ""
    text = style.say("digest_quick", n=digest.within_5s)
    if digest.slowest_s < 5:
        return text
    age = Raw(style.duration(digest.slowest_s))
    key = "digest_slowest_why" if digest.slowest_why else "digest_slowest"
    return f"{text} · {style.say(key, age=age, why=digest.slowest_why)}"


def _details(digest: DayDigest, style: Style) -> str:
    parts = [
        style.say("digest_repeats", n=digest.repeats) if digest.repeats else "",
        *(style.say("digest_recovered", n=count, vendor=vendor) for count, vendor in digest.recovered if count),
        style.say("digest_conflicts", n=digest.conflicts) if digest.conflicts else "",
        style.say("digest_spam", n=digest.spam) if digest.spam else "",
    ]
    return ", ".join(part for part in parts if part)


def _no_source(digest: DayDigest, style: Style) -> str:
    if not digest.no_source:
        return ""
    if not digest.no_source_form:
        return style.say("digest_no_source", n=digest.no_source)
    every = digest.no_source_of_form >= digest.no_source
    return style.say(
        "digest_no_source_all" if every else "digest_no_source_most", n=digest.no_source, form=digest.no_source_form
    )
