"""Who is responsible for a lead, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache

from leads.assignment_settings import AssignRule, AssignSettings, AssignUser
from leads.assignment_state import AssignState, PoolState, state_from_json, state_to_json
from leads.assignment_text import explain, explain_considered
from leads.hours import Schedule, local_date, next_opening, open_at, schedule_of
from leads.hours_settings import DateRange, Hours
from leads.regions import NOWHERE, Place, in_region
from leads.strategies import pick, update_capped

__all__ = [
    "AssignFacts",
    "AssignSettings",
    "AssignState",
    "CrmUserRef",
    "Decision",
    "decide",
    "explain",
    "explain_considered",
    "resolve_user",
    "state_from_json",
    "state_to_json",
]


@dataclass(frozen=True, slots=True)
class CrmUserRef:
    """A user of the CRM as the CRM tells."""

    id: str
    name: str = ""
    email: str = ""
    active: bool = True


def _never(condition: str) -> bool:
    raise LookupError(f"nobody said how to evaluate {condition!r}")


@dataclass(frozen=True, slots=True)
class AssignFacts:
    """What a decision looks at.

    `users`: the CRM's users; None when they could not be read, and then an id counts as an active user:
    a lead never waits for a list of users. `load`: user id -> leads within `load_window`.
    `previous_user`: id of who had this person's last lead, or "". `answered_by`: who talked with him on the phone,
    as a colleague may be named (`resolve_user`), or "". `place`: where the phone is from.
    `matches` evaluates a rule's `when`; it must not raise. `timezone`: of the hub, where the settings name none.
    """

    now: datetime
    users: Sequence[CrmUserRef] | None = None
    load: Mapping[str, int] = field(default_factory=dict)
    previous_user: str = ""
    answered_by: str = ""
    place: Place = NOWHERE
    matches: Callable[[str], bool] = _never
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Decision:
    """`user_id` "" = nobody (see `reason`); with `hold_until` decide again then.

    `reason` is answered, returning, fixed, round_robin, weighted, least_loaded, duty, fallback, hold or nobody;
    `explain(decision, locale)` says it in words, from `params` (texts for people only). `considered`: (user,
    why not) of those who were passed over; `why` is unknown, inactive, absent, off_shift, capped or no_rule.
    """

    user_id: str
    reason: str
    state: AssignState
    params: Mapping[str, str] = field(default_factory=dict)
    hold_until: datetime | None = None
    considered: tuple[tuple[str, str], ...] = ()


def resolve_user(ref: str, users: Sequence[CrmUserRef] | None) -> CrmUserRef | None:
    """The user meant by an id, an e-mail or a name; None for nobody and for a name that two active users have.

    With `users` None (could not be read) digits are taken as the id of an active user.
    """
    if users is None:
        return CrmUserRef(ref) if ref.isdigit() else None
    wanted = _plain(ref)
    by_id = [user for user in users if user.id == ref]
    by_email = [user for user in users if user.email and user.email.strip().casefold() == wanted]
    by_name = [user for user in users if user.name and wanted in (_plain(user.name), _swapped(user.name))]
    for found in (by_id, by_email, by_name):
        active = [user for user in found if user.active] or found
        if len(active) == 1:
            return active[0]
        if active:
            return None
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("ё", "е").split())


def _swapped(name: str) -> str:
    """`Анна Петрова` is also found as `Петрова Анна`."""
    return " ".join(reversed(_plain(name).split()))


def decide(settings: AssignSettings, state: AssignState, facts: AssignFacts) -> Decision:
    """Chooses by `settings`; store `Decision.state` with the decision, in one transaction: then turns stay fair."""
    path, label, found = "", settings.name, settings
    while found.strategy == "rules":
        rule, key = _first_rule(found, facts)
        if rule is None:
            return _Queue(found, state, facts, path, label).without_rule()
        path = f"{path}/{key}"
        found, label = rule, rule.name or label
    return _Queue(found, state, facts, path, label).decide()


def _first_rule(settings: AssignSettings, facts: AssignFacts) -> tuple[AssignRule | None, str]:
    """The rule, and the key under which its queue is kept: not its number, which changes as rules are put in."""
    for number, rule in enumerate(settings.rules):
        if _applies(rule, facts):
            return rule, rule.name or rule.when or ",".join((*rule.countries, *rule.regions, *rule.timezones)) or str(
                number
            )
    return None, ""


def _applies(rule: AssignRule, facts: AssignFacts) -> bool:
    place = facts.place
    return (
        (not rule.countries or place.country in {code.upper() for code in rule.countries})
        and (not rule.regions or any(in_region(place, name) for name in rule.regions))
        and (not rule.timezones or place.timezone in rule.timezones)
        and (not rule.when or facts.matches(rule.when))
    )


@lru_cache(512)
def _schedule(hours: Hours, timezone: str) -> Schedule:
    return schedule_of(hours, timezone)


@dataclass(frozen=True, slots=True)
class _Member:
    """A user of the queue as he stands now; `why_not` is "" for who can take a lead."""

    entry: AssignUser
    user: CrmUserRef | None
    why_not: str
    opens: datetime | None = None


class _Queue:
    """One decision over one queue."""

    def __init__(self, settings: AssignSettings, state: AssignState, facts: AssignFacts, path: str, label: str) -> None:
        self.settings, self.state, self.facts, self.path, self.label = settings, state, facts, path, label
        self.schedule = _schedule(settings.hours, facts.timezone) if settings.hours else None
        self.open = open_at(self.schedule, facts.now)
        self.members = [self._member(entry) for entry in settings.users]
        self.load = {m.entry.user: facts.load.get(m.user.id, 0) for m in self.members if m.user is not None}
        self.pool: PoolState = update_capped(
            settings.users, settings.cap, settings.resume_below, state.pool(path), self.load
        )
        self.members = [
            replace(m, why_not="capped") if not m.why_not and m.entry.user in self.pool.capped else m
            for m in self.members
        ]
        self.considered: list[tuple[str, str]] = []

    # --- the order of the questions ---------------------------------------------------------------

    def decide(self) -> Decision:
        answered = self._answered()
        if answered:
            return answered
        if not self.open and self.settings.outside_hours != "assign":
            if self.settings.outside_hours == "duty":
                return self._on_duty("closed") or self._fallback("closed") or self._nobody("closed")
            until = next_opening(self.schedule, self.facts.now)
            return self._hold(until, "closed") if until else self._nobody("closed")
        returning = self._returning()
        if returning:
            return returning
        self.considered += [(self._name(m), m.why_not) for m in self.members if m.why_not]
        return (
            self._by_strategy([m for m in self.members if not m.why_not], "")
            or self._fallback("nobody")
            or self._on_duty("nobody")
            or self._off_shift()
            or self._nobody("nobody")
        )

    def without_rule(self) -> Decision:
        """No rule applies: who answered, the known person's user, fallback, duty."""
        self.considered.append(("", "no_rule"))
        return (
            self._answered()
            or self._returning()
            or self._fallback("no_rule")
            or self._on_duty("no_rule")
            or self._nobody("no_rule")
        )

    # --- ways to a user ---------------------------------------------------------------------------

    def _answered(self) -> Decision | None:
        """Who talked with the client is at work, whatever the schedule says."""
        user = resolve_user(self.facts.answered_by, self.facts.users) if self.facts.answered_by else None
        if user is None or not user.active:
            if self.facts.answered_by:
                self.considered.append((self.facts.answered_by, "inactive" if user else "unknown"))
            return None
        return self._chosen(user, "answered", self.pool)

    def _returning(self) -> Decision | None:
        """A known person's user, in this queue or not; he may be over his cap: it is his client."""
        previous = self.facts.previous_user
        if not self.settings.returning or not previous:
            return None
        user = resolve_user(previous, self.facts.users) if self.facts.users is not None else CrmUserRef(previous)
        member = next((m for m in self.members if m.user is not None and m.user.id == previous), None)
        why_not = ""
        if user is None or user.id != previous:
            why_not = "unknown"
        elif not user.active:
            why_not = "inactive"
        elif member is not None and member.why_not in ("absent", "off_shift"):
            why_not = member.why_not
        elif member is None and self._absent(previous, user, (), None):
            why_not = "absent"
        if why_not or user is None:
            if member is None:
                self.considered.append((user.name if user and user.name else previous, why_not))
            return None
        return self._chosen(user, "returning", self.pool)

    def _by_strategy(self, available: list[_Member], why: str) -> Decision | None:
        if not available:
            return None
        chosen, pool = pick(
            self.settings.strategy, self.settings.users, [m.entry.user for m in available], self.pool, self.load
        )
        member = next(m for m in available if m.entry.user == chosen)
        assert member.user is not None
        load = {"load": str(self.load.get(chosen, 0))} if self.settings.strategy == "least_loaded" else {}
        return self._chosen(member.user, self.settings.strategy, pool, why=why, **load)

    def _off_shift(self) -> Decision | None:
        """Everybody's own hours are over: as usual all the same, or wait for the first to come."""
        off = [m for m in self.members if m.why_not == "off_shift"]
        if self.settings.outside_hours == "assign":
            return self._by_strategy(off, "off_shift")
        openings = [m.opens for m in off if m.opens is not None]
        return self._hold(min(openings), "off_shift") if openings and self.settings.outside_hours == "hold" else None

    def _fallback(self, why: str) -> Decision | None:
        return self._first_present(self.settings.fallback, "fallback", why)

    def _on_duty(self, why: str) -> Decision | None:
        return self._first_present((self.settings.duty,) if self.settings.duty else (), "duty", why)

    def _first_present(self, refs: Sequence[str], reason: str, why: str) -> Decision | None:
        for ref in refs:
            user = resolve_user(ref, self.facts.users)
            entry = next((m.entry for m in self.members if m.entry.user == ref), None)
            if user is None:
                self.considered.append((ref, "unknown"))
            elif not user.active:
                self.considered.append((user.name or ref, "inactive"))
            elif self._absent(ref, user, entry.absences if entry else (), None):
                self.considered.append((user.name or ref, "absent"))
            else:
                return self._chosen(user, reason, self.pool, why=why)
        return None

    # --- facts about users --------------------------------------------------------------------------

    def _member(self, entry: AssignUser) -> _Member:
        user = resolve_user(entry.user, self.facts.users)
        if user is None:
            return _Member(entry, None, "unknown")
        if not user.active:
            return _Member(entry, user, "inactive")
        own = _schedule(entry.hours, self._timezone()) if entry.hours else None
        if self._absent(entry.user, user, entry.absences, own):
            return _Member(entry, user, "absent")
        if own is not None and not open_at(own, self.facts.now):
            return _Member(entry, user, "off_shift", next_opening(own, self.facts.now))
        return _Member(entry, user, "")

    def _absent(self, ref: str, user: CrmUserRef, own: tuple[DateRange, ...], schedule: Schedule | None) -> bool:
        today: date = local_date(schedule or self.schedule, self.facts.now, self.facts.timezone)
        shared = [
            dates
            for name, ranges in self.settings.absences.items()
            if name == ref or _is(name, user)
            for dates in ranges
        ]
        return any(today in dates for dates in (*own, *shared))

    def _timezone(self) -> str:
        hours = self.settings.hours
        return (hours.timezone if hours else "") or self.facts.timezone

    @staticmethod
    def _name(member: _Member) -> str:
        return (member.user.name if member.user else "") or member.entry.user

    # --- answers ----------------------------------------------------------------------------------

    def _chosen(self, user: CrmUserRef, reason: str, pool: PoolState, **params: str) -> Decision:
        return self._decision(user.id, reason, pool, user=user.name or user.email or user.id, **params)

    def _hold(self, until: datetime, why: str) -> Decision:
        zone = self.schedule.zone if self.schedule else None
        local = until.astimezone(zone) if zone else until
        params = {"why": why, "until": local.isoformat(timespec="minutes")}
        return replace(self._decision("", "hold", self.pool, **params), hold_until=until)

    def _nobody(self, why: str) -> Decision:
        return self._decision("", "nobody", self.pool, why=why)

    def _decision(self, user_id: str, reason: str, pool: PoolState, **params: str) -> Decision:
        if self.label:
            params["queue"] = self.label
        return Decision(
            user_id,
            reason,
            self.state.with_pool(self.path, pool),
            {key: value for key, value in params.items() if value},
            considered=tuple(dict.fromkeys(self.considered)),
        )


def _is(name: str, user: CrmUserRef) -> bool:
    wanted = _plain(name)
    return user.id == name or wanted in (user.email.strip().casefold(), _plain(user.name), _swapped(user.name))
