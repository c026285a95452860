"""Who a lead belongs to."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from leads.identity import Key, Resolution, keys_of, resolve, strength, turns_out_to_be
from leads.records import Lead

NOW = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
PHONE = Key("phone", "+79161234567")
PHONE_2 = Key("phone", "+79037654321")
EMAIL = Key("email", "ivan@example.ru")
CHAT = Key("messenger:telegram", "77")
ACCOUNT = Key("external", "u-5")


def test_a_lead_gives_its_keys_strongest_first_without_repeats_and_blanks() -> None:
    lead = Lead(
        id="1",
        source="site",
        received_at=NOW,
        phones=("+79161234567", "+79037654321", "+79161234567"),
        emails=("ivan@example.ru",),
        messengers=(("telegram", "77"), ("vk", "")),
        external_id="u-5",
    )
    assert keys_of(lead) == (ACCOUNT, PHONE, PHONE_2, CHAT, EMAIL)
    assert keys_of(Lead(id="1", source="site", received_at=NOW)) == ()


def test_nobody_known_is_a_new_person_with_all_the_keys() -> None:
    assert resolve([EMAIL, PHONE], {}) == Resolution(None, (PHONE, EMAIL))
    assert resolve([EMAIL, PHONE], {}).is_new


def test_one_known_key_gives_its_person_who_gains_the_others() -> None:
    assert resolve([PHONE, EMAIL], {EMAIL: "p1"}) == Resolution("p1", (PHONE,))


def test_two_persons_tied_together_are_flagged_and_nothing_changes_hands() -> None:
    resolution = resolve([EMAIL, PHONE, CHAT], {EMAIL: "p1", PHONE: "p2"})
    assert resolution == Resolution("p2", (CHAT,), ("p1",))
    assert resolution.is_conflict


def test_the_strongest_key_decides_external_phone_messenger_email() -> None:
    known = {ACCOUNT: "by account", PHONE: "by phone", CHAT: "by chat", EMAIL: "by email"}
    keys = [EMAIL, CHAT, PHONE, ACCOUNT]
    expected = ["by account", "by phone", "by chat", "by email"]
    while keys:
        resolution = resolve(keys, known)
        assert [resolution.person_id, *resolution.conflicts] == expected
        keys.pop()
        expected.pop(0)


def test_of_two_equally_strong_keys_the_one_given_first_decides() -> None:
    assert resolve([PHONE_2, PHONE], {PHONE: "p1", PHONE_2: "p2"}).person_id == "p2"


def test_the_same_id_at_two_messengers_is_two_keys() -> None:
    assert resolve([Key("messenger:vk", "77")], {CHAT: "p1"}).is_new


KEYS = st.lists(
    st.builds(
        Key,
        st.sampled_from(["phone", "email", "messenger:vk", "messenger:tg", "external", "odd"]),
        st.sampled_from("abc"),
    ),
    max_size=8,
)
KNOWN = st.dictionaries(
    st.builds(Key, st.sampled_from(["phone", "email", "external"]), st.sampled_from("abc")),
    st.sampled_from(["p1", "p2", "p3"]),
)


@given(KEYS, KNOWN)
def test_every_key_is_either_known_or_attached_and_every_owner_is_named_once(
    keys: list[Key], known: dict[Key, str]
) -> None:
    resolution = resolve(keys, known)
    assert set(resolution.attach) == set(keys) - set(known)
    assert len(resolution.attach) == len(set(resolution.attach))
    named = [*([] if resolution.person_id is None else [resolution.person_id]), *resolution.conflicts]
    assert sorted(named) == sorted({known[key] for key in keys if key in known})
    if named:
        best = min(strength(key) for key in keys if key in known)
        assert any(known.get(key) == resolution.person_id and strength(key) == best for key in keys)


@given(KEYS, KNOWN)
def test_the_same_lead_again_attaches_nothing_and_finds_the_same_person(keys: list[Key], known: dict[Key, str]) -> None:
    first = resolve(keys, known)
    person = first.person_id or "new"
    again = resolve(keys, {**known, **dict.fromkeys(first.attach, person)})
    assert again.attach == ()
    assert not keys or again.person_id is not None
    if not first.conflicts and keys:
        assert again.person_id == person


def test_who_is_known_by_messengers_alone_turns_out_to_be_the_one_who_is_known_by_more() -> None:
    kinds = {"chat": ["messenger:telegram", "messenger:vk"], "form": ["phone", "messenger:whatsapp"], "mail": ["email"]}
    assert turns_out_to_be(["form", "chat"], kinds) == "form"
    assert turns_out_to_be(["chat", "mail"], kinds) == "mail"
    assert turns_out_to_be(["form", "mail"], kinds) is None
    assert turns_out_to_be(["form", "chat", "mail"], kinds) is None
    assert turns_out_to_be(["chat", "other"], {**kinds, "other": ["messenger:viber"]}) is None
    assert turns_out_to_be(["form", "nobody"], kinds) is None
