"""The sample of every door is what its vendor would send: let in with the right secret, refused with another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.doors import DoorSettings, Inbound, Parsed, Refused
from connectors.proofs import configured, possible, secrets_of
from connectors.registry import SOURCES, sample_of
from connectors.samples import EMAIL, NAME, PHONE
from tests.support.all_doors import BY_REQUEST, door, settings_of

NOW = datetime(2026, 11, 24, 11, 2, 3, 456000, tzinfo=UTC)
MAKES_NOTHING = {"smsru": "its requests are reports about our own SMS"}
ONE_PROOF_IS_ENOUGH = {"generic"}
"""Of bearer, signature and key: none that is given may be wrong, but two may be left out."""
MAY_BE_LEFT_OUT = {("twilio", "url_token"): "the signature proves more, and covers the address"}
NOT_IN_EVERY_SHAPE = {("roistat", "key"): "only leads in the shape of proxylead bring it"}


def address(settings: DoorSettings, name: str) -> str:
    token = f"/{settings.url_token.get_secret_value()}" if settings.url_token else ""
    return f"https://hub.example.test/in/{name}{token}"


def sample(name: str, settings: DoorSettings, now: datetime = NOW) -> Inbound:
    return sample_of(name)(settings, address(settings, name), now)


def let_in(name: str, settings: DoorSettings, request: Inbound) -> Parsed:
    """Some doors find the proof only while they parse."""
    door(name).verify(settings, request)
    return door(name).parse(settings, request, "RU")


def made(parsed: Parsed) -> list[Any]:
    return [*parsed.leads, *parsed.calls, *parsed.messages, *parsed.payments, *parsed.errands]


@pytest.mark.parametrize("name", BY_REQUEST)
def test_a_sample_is_let_in_and_makes_something(name: str) -> None:
    settings = settings_of(name)
    found = made(let_in(name, settings, sample(name, settings)))
    assert bool(found) == (name not in MAKES_NOTHING)


@pytest.mark.parametrize("name", BY_REQUEST)
def test_a_sample_needs_no_more_than_the_settings_ask_for(name: str) -> None:
    """A source as plain as its door allows."""
    needed = {key: settings_of(name).model_dump()[key] for key in _required(name)}
    settings = SOURCES[name].settings.model_validate(needed)
    assert bool(made(let_in(name, settings, sample(name, settings)))) == (name not in MAKES_NOTHING)


def _required(name: str) -> list[str]:
    return [key for key, field in SOURCES[name].settings.model_fields.items() if field.is_required()]


@pytest.mark.parametrize("name", BY_REQUEST)
def test_two_samples_are_no_repeats_of_each_other(name: str) -> None:
    settings = settings_of(name)
    first = made(let_in(name, settings, sample(name, settings)))
    later = NOW + timedelta(milliseconds=1)
    second = made(let_in(name, settings, sample(name, settings, later)))
    for one, other in zip(first, second, strict=True):
        assert _identity(one) != _identity(other)


def _identity(one: Any) -> Any:
    for name in ("message_id", "call_id", "payment_id", "key", "lead_uid"):
        if getattr(one, name, ""):
            return getattr(one, name)
    return one  # its content tells it from others


PROOFS = [
    (name, proof.setting)
    for name in BY_REQUEST
    for proof in possible(SOURCES[name].settings)
    if proof.kind != "address" and getattr(settings_of(name), proof.setting)
]


@pytest.mark.parametrize(("name", "setting"), [one for one in PROOFS if one not in NOT_IN_EVERY_SHAPE])
def test_with_another_secret_a_sample_is_refused(name: str, setting: str) -> None:
    settings = settings_of(name)
    request = sample(name, settings)
    other = settings.model_copy(update={setting: SecretStr("quite-another-secret")})
    with pytest.raises(Refused):
        let_in(name, other, request)
    if (name in ONE_PROOF_IS_ENOUGH and setting != "url_token") or (name, setting) in MAY_BE_LEFT_OUT:
        return
    without = settings.model_copy(update={setting: None})
    with pytest.raises(Refused):
        let_in(name, settings, replace(sample(name, without), received_at=NOW))


@pytest.mark.parametrize("name", [name for name in BY_REQUEST if SOURCES[name].settings.sent_from])
def test_a_sample_comes_from_an_address_that_is_allowed(name: str) -> None:
    (setting,) = SOURCES[name].settings.sent_from
    settings = settings_of(name, **{setting: ["198.51.100.0/24"]})
    request = sample(name, settings)
    assert let_in(name, settings, request) is not None
    with pytest.raises(Refused):
        let_in(name, settings, replace(request, remote_ip="192.0.2.99"))


@pytest.mark.parametrize("name", BY_REQUEST)
def test_what_a_sample_tells_of_a_person_is_invented(name: str) -> None:
    settings = settings_of(name)
    for one in made(let_in(name, settings, sample(name, settings))):
        lead = getattr(one, "lead", one) if not hasattr(one, "phones") else one
        if hasattr(lead, "phones") and lead is not None:
            assert set(lead.phones) <= {PHONE}
            assert set(lead.emails) <= {EMAIL}
            assert lead.name in ("", NAME)
        if hasattr(one, "call_id"):
            assert one.client == PHONE


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_proof_that_a_door_declares_is_a_setting_of_it(name: str) -> None:
    model = SOURCES[name].settings
    assert {proof.setting for proof in possible(model)} <= set(model.model_fields)
    assert configured(settings_of(name)) or not any(possible(model))
    assert "url_token" in {proof.setting for proof in configured(settings_of(name))}


def test_secrets_are_found_however_deep_they_are() -> None:
    settings = settings_of("twilio", shared_keys={"k1": "fake-shared-key-1"})
    assert {"fake-shared-key-1", "faketwilioauthtoken0123456789abcd", "tok-twilio-1"} <= secrets_of(settings)
    ami = settings_of("asterisk", ami={"host": "pbx", "username": "hub", "secret": "fake-ami-secret-1"})
    assert "fake-ami-secret-1" in secrets_of(ami)


def test_a_map_of_fields_is_followed_by_the_sample() -> None:
    fields = {"phone": "person.contacts[1].value", "name": "person.name", "email": "person.contacts[0].value"}
    settings = settings_of("generic", fields=fields)
    (lead,) = let_in("generic", settings, sample("generic", settings)).leads
    assert (lead.name, lead.phones, lead.emails) == (NAME, (PHONE,), (EMAIL,))


def test_twilio_may_sign_with_a_shared_key() -> None:
    more = {"auth_token": None, "shared_keys": {"k1": "fake-shared-key-1"}, "webhook_url": ""}
    settings = settings_of("twilio", **more)
    assert let_in("twilio", settings, sample("twilio", settings)).calls
