"""Ids that no index takes are kept by their hash."""

import pytest

from connectors.events import (
    KEY_MAX_BYTES,
    Errand,
    ParsedCall,
    ParsedLead,
    ParsedMessage,
    ParsedPayment,
    ParsedUndelivered,
    short_key,
)

ID = "9" * KEY_MAX_BYTES


@pytest.mark.parametrize("kept", ["", "a", ID, "я" * (KEY_MAX_BYTES // 2)])
def test_an_id_as_vendors_have_it_stays_as_it_is(kept: str) -> None:
    assert short_key(kept) == kept


@pytest.mark.parametrize("long", [f"{ID}9", "я" * KEY_MAX_BYTES, "\ud800" * 9_000])
def test_a_longer_one_is_another_one_for_each_and_the_same_each_time(long: str) -> None:
    short = short_key(long)
    assert short == short_key(long) == short_key(short)
    assert short != short_key(f"{long}1")
    assert len(short) == 64


def test_every_id_that_is_part_of_a_key_is_short() -> None:
    long = f"{ID}9"
    lead = ParsedLead(lead_uid=long, external_id=long, messengers=((long, "1"), ("vk", long)))
    call, payment = ParsedCall(call_id=long, event_id=long, client=long), ParsedPayment(long, long, "pending")
    message, undelivered = ParsedMessage(long, long, "vk"), ParsedUndelivered(long, "")
    short = short_key(long)
    assert (lead.lead_uid, lead.external_id, lead.messengers) == (short, short, ((short, "1"), ("vk", short)))
    assert (call.call_id, call.event_id, call.client) == (short, short, short)
    assert (payment.payment_id, payment.event_id) == (short, short)
    assert (message.chat_id, message.message_id, undelivered.message_id) == (short, short, short)
    assert Errand("meta", long).key == short
