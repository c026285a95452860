"""Who is responsible, as it is written in YAML under `assign:` of a route."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from leads.durations import Duration
from leads.hours_settings import DateRange, Hours

Strategy = Literal["fixed", "round_robin", "weighted", "least_loaded", "rules"]


def _ref(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError("a user is the CRM's id, an e-mail or a name")
    return str(value).strip()


def _refs(value: Any) -> Any:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


UserRef = Annotated[str, BeforeValidator(_ref)]
"""The CRM's id, an e-mail or a name as it is in the CRM."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Cap(_Strict):
    cap: int | None = Field(None, ge=1, description="leads within load_window at which a user gets no more")
    resume_below: int | None = Field(
        None, ge=1, description="a user at the cap gets leads again below this many; default: three quarters of the cap"
    )

    @model_validator(mode="after")
    def _resumes_below_the_cap(self) -> Self:
        if self.resume_below is not None and self.cap is not None and self.resume_below > self.cap:
            raise ValueError("resume_below is above cap")
        return self


class AssignUser(_Cap):
    """One user of a queue; a bare id, e-mail or name is enough."""

    user: UserRef = Field(description="the CRM's id, an e-mail or a name")
    weight: int = Field(1, ge=1, le=1_000, description="share of the leads, for weighted and least_loaded")
    hours: Hours | None = Field(None, description="this user's own working hours")
    absences: tuple[DateRange, ...] = Field((), description="holidays and the like: 2026-12-01..2026-12-14")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return value if isinstance(value, dict | AssignUser) else {"user": value}


def _users(value: Any) -> Any:
    """A list, or `{101: 3, 102: 1}`: users with their weights."""
    if isinstance(value, dict):
        return [{"user": user, "weight": weight} for user, weight in value.items()]
    return _refs(value)


class AssignSettings(_Cap):
    """`assign:` of a route, or of one rule."""

    name: str = Field("", max_length=100, description="name of the queue, shown in the reason")
    strategy: Strategy = Field(description="fixed, round_robin, weighted, least_loaded or rules")
    users: Annotated[tuple[AssignUser, ...], BeforeValidator(_users)] = Field(
        (), description="users, or users with weights: {101: 3, 102: 1}"
    )
    rules: "tuple[AssignRule, ...]" = Field((), description="tried from the top; the first that applies is used")
    returning: bool = Field(True, description="a known person goes to the user who had the last lead")
    hours: Hours | None = Field(None, description="working hours of the queue")
    outside_hours: Literal["assign", "duty", "hold"] = Field(
        "assign", description="assign: as usual; duty: to the duty user; hold: wait for the next opening"
    )
    absences: dict[UserRef, Annotated[tuple[DateRange, ...], BeforeValidator(_refs)]] = Field(
        default_factory=dict, description="user -> dates: {101: [2026-12-01..2026-12-14]}"
    )
    fallback: Annotated[tuple[UserRef, ...], BeforeValidator(_refs)] = Field(
        (), description="users to take when nobody of the queue is available, the first present one"
    )
    duty: UserRef | None = Field(None, description="user on duty outside hours, and when no fallback is present")
    load_window: Duration = Field(timedelta(days=1), description="how far back a user's leads count as load; 24h")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """`{user: 101}` is fixed; without a strategy, rules or round robin as the rest tells."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        if "user" in value and "users" not in value:
            value["users"] = [value.pop("user")]
            value.setdefault("strategy", "fixed")
        value.setdefault("strategy", "rules" if "rules" in value else "round_robin")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        if self.rules:
            # Frozen for others: what a rule leaves open it takes from here, once, so that deciding need not search.
            object.__setattr__(self, "rules", tuple(_inherit(rule, self) for rule in self.rules))
        return self

    def _problems(self) -> Iterable[str]:
        if self.strategy == "rules":
            if not self.rules:
                yield "strategy rules needs rules"
            if self.users:
                yield "strategy rules takes its users from the rules"
        else:
            if self.rules:
                yield f"rules are given but the strategy is {self.strategy}"
            if not self.users:
                yield f"strategy {self.strategy} needs users"
            if self.strategy == "fixed" and len(self.users) > 1:
                yield "strategy fixed takes one user"
            repeated = _repeated(user.user for user in self.users)
            if repeated:
                yield f"users are named twice: {', '.join(repeated)}"

    def refs(self) -> tuple[str, ...]:
        """Every user named here and in the rules, once, for checking against the CRM."""
        named = [user.user for user in self.users]
        named += [*self.fallback, *([self.duty] if self.duty else []), *self.absences]
        for rule in self.rules:
            named += rule.refs()
        return tuple(dict.fromkeys(named))

    def doubts(self) -> tuple[str, ...]:
        """What is allowed and surely not meant, for `leadhub check`."""
        found = []
        timed = self.hours is not None or any(user.hours is not None for user in self.users)
        if self.strategy != "rules":
            if self.outside_hours == "duty" and not self.duty:
                found.append("outside_hours is duty, but there is no duty user")
            if self.outside_hours != "assign" and not timed:
                found.append(f"outside_hours is {self.outside_hours}, but there are no hours")
            if self.cap is not None and not self.fallback and not self.duty:
                found.append("with everybody at the cap a lead stays without responsible user: name a fallback")
        for rule in self.rules:
            found += rule.doubts()
        return tuple(dict.fromkeys(found))


class AssignRule(AssignSettings):
    """One rule: conditions (all given ones must hold; none is "always") and an assignment of its own."""

    when: str = Field("", description="condition, such as lead.utm_source == 'yandex'")
    countries: Annotated[tuple[str, ...], BeforeValidator(_refs)] = Field((), description="of the phone: RU, KZ")
    regions: Annotated[tuple[str, ...], BeforeValidator(_refs)] = Field((), description="of the phone: Татарстан")
    timezones: Annotated[tuple[str, ...], BeforeValidator(_refs)] = Field((), description="of the phone: Asia/Omsk")


_INHERITED = ("returning", "hours", "outside_hours", "fallback", "duty", "cap", "resume_below", "load_window")


def _inherit(rule: AssignRule, outer: AssignSettings) -> AssignRule:
    """`rule` with what it does not say itself and `outer` does; absences of both count."""
    taken: dict[str, Any] = {
        key: getattr(outer, key)
        for key in _INHERITED
        if key in outer.model_fields_set and key not in rule.model_fields_set
    }
    if outer.absences:
        taken["absences"] = {**outer.absences, **rule.absences}
    if "cap" in rule.model_fields_set and "resume_below" in taken:
        del taken["resume_below"]  # belongs to the other cap
    whole = rule.model_copy(update=taken)
    if whole.rules:
        whole = whole.model_copy(update={"rules": tuple(_inherit(inner, whole) for inner in whole.rules)})
    return whole


def _repeated(refs: Iterable[str]) -> list[str]:
    return [ref for ref, times in Counter(refs).items() if times > 1]


AssignSettings.model_rebuild()
