"""Match keys: is this the same person?"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from leads.records import Lead

PHONE, EMAIL, EXTERNAL, MESSENGER = "phone", "email", "external", "messenger"
STRENGTH = (EXTERNAL, PHONE, MESSENGER, EMAIL)
"""Strongest first. An external id is the site's own account; an e-mail is shared in families and offices most often."""


class Key(NamedTuple):
    """`kind` is phone, email, external or `messenger:<vendor>`; `value` is canonical (E.164, lower case, vendor id)."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """Whose lead it is. `person_id` None = a new person, to whom every key in `attach` belongs.

    `conflicts` are the other known persons that the lead's keys belong to: a person decides
    about merging, nothing is merged here. `attach` never holds a key that somebody has already.
    """

    person_id: str | None
    attach: tuple[Key, ...] = ()
    conflicts: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        return self.person_id is None

    @property
    def is_conflict(self) -> bool:
        return bool(self.conflicts)


def keys_of(lead: Lead) -> tuple[Key, ...]:
    """The lead's match keys without repeats, strongest first, else in the order given."""
    keys = [
        Key(EXTERNAL, lead.external_id),
        *(Key(PHONE, phone) for phone in lead.phones),
        *(Key(f"{MESSENGER}:{vendor}", sender) for vendor, sender in lead.messengers if sender),
        *(Key(EMAIL, address) for address in lead.emails),
    ]
    return tuple(dict.fromkeys(key for key in keys if key.value))


def strength(key: Key) -> int:
    """0 is the strongest; kinds that we do not know come last."""
    kind = key.kind.partition(":")[0]
    return STRENGTH.index(kind) if kind in STRENGTH else len(STRENGTH)


def resolve(keys: Iterable[Key], known: Mapping[Key, str]) -> Resolution:
    """Decides from `known` (key -> person id, for those of `keys` that are known; more does no harm).

    Two known persons: the lead goes to the one of the strongest key (on a tie the key given
    first), the others are named, and no key changes its owner.
    """
    ordered = sorted(dict.fromkeys(keys), key=strength)
    owners = list(dict.fromkeys(known[key] for key in ordered if key in known))
    attach = tuple(key for key in ordered if key not in known)
    if not owners:
        return Resolution(None, attach)
    return Resolution(owners[0], attach, tuple(owners[1:]))


def turns_out_to_be(persons: Sequence[str], kinds: Mapping[str, Collection[str]]) -> str | None:
    """Which of these persons, tied by one lead, all the others are; None: somebody has to decide.

    `kinds`: person -> the kinds of all his keys. Who is known by nothing but messenger ids has told nothing that could
    speak against it; with contact data on two sides it may be two people who share a phone or an e-mail.
    """
    known = [person for person in persons if not all(map(_is_messenger, kinds.get(person, ())))]
    strangers = [person for person in persons if person not in known]
    return known[0] if len(known) == 1 and all(kinds.get(person) for person in strangers) else None


def _is_messenger(kind: str) -> bool:
    return kind.partition(":")[0] == MESSENGER
