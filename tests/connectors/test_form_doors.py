"""What all doors of forms, ads, shops and payments must keep: forgeries, repeats, replies, any bytes at all."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.doors import Inbound, Parsed, Receipt, Refused, Unreadable
from tests.support import form_doors as doors
from tests.support.requests import inbound

SIGNED = {
    ("woocommerce", "order-created.http"): "x-wc-webhook-signature",
    ("typeform", "form-response.http"): "typeform-signature",
    ("tally", "form-response.http"): "tally-signature",
    ("meta", "2-leadgen.http"): "x-hub-signature-256",
    ("shopify", "orders-create.http"): "x-shopify-hmac-sha256",
    ("stripe", "checkout-completed.http"): "stripe-signature",
}
TOKENED = [
    ("tilda", "2-lead.http"), ("tilda", "3-order.http"), ("tilda", "1-test-ping.http"), ("cf7", "lead.http"),
    ("elementor", "advanced-data-on.http"), ("elementor", "advanced-data-off.http"), ("wpforms", "lead.http"),
    ("gravityforms", "lead.http"), ("google-forms", "apps-script.http"), ("generic", "form.http"),
    ("generic", "json.http"), ("generic", "multipart.http"), ("moysklad", "customerorder-update.http"),
]  # fmt: skip
OTHERS = [("google-ads", "lead.http"), ("yookassa", "payment-succeeded.http")]
ALL = [*SIGNED, *TOKENED, *OTHERS]
EVERY_DOOR = sorted({name for name, _ in ALL} | {"1c", "call_insight"})


def refused(name: str, request: Inbound) -> Refused:
    with pytest.raises(Refused) as caught:
        doors.taken(name, request)
    assert caught.value.status in (401, 403)
    return caught.value


# --- forgeries -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "file"), ALL)
def test_a_sample_is_taken_and_its_repeat_is_the_same(name: str, file: str) -> None:
    first, again = (doors.taken(name, doors.sample(name, file)) for _ in range(2))
    assert first == again
    assert first != Parsed() or file == "1-test-ping.http"


@pytest.mark.parametrize(("name", "file"), SIGNED)
def test_one_changed_byte_of_a_signed_body_is_refused(name: str, file: str) -> None:
    request = doors.sample(name, file)
    for position in (0, len(request.body) // 2, len(request.body) - 1):
        body = bytearray(request.body)
        body[position] ^= 1
        refused(name, replace(request, body=bytes(body)))
    refused(name, replace(request, body=request.body + b" "))
    refused(name, replace(request, body=b""))


@pytest.mark.parametrize(("name", "file"), SIGNED)
def test_a_changed_or_missing_signature_is_refused(name: str, file: str) -> None:
    request, header = doors.sample(name, file), SIGNED[name, file]
    given = request.headers[header]
    for other in ("", given[:-2], given[:-4] + "AAA=", "sha256=", "é", given.upper().swapcase()[:-5] + "xxxxx"):
        refused(name, replace(request, headers={**request.headers, header: other}))
    refused(name, replace(request, headers={key: value for key, value in request.headers.items() if key != header}))


@pytest.mark.parametrize(("name", "file"), SIGNED)
def test_a_signature_made_with_another_secret_is_refused(name: str, file: str) -> None:
    secret = next(key for key in doors.KEYS[name] if "secret" in key)
    with pytest.raises(Refused):
        doors.taken(name, doors.sample(name, file), **{secret: "another-secret"})


@pytest.mark.parametrize(("name", "file"), [one for one in SIGNED if one[0] in ("woocommerce", "typeform", "tally")])
def test_token_and_signature_must_both_hold_where_both_are_set(name: str, file: str) -> None:
    request = doors.sample(name, file)
    doors.taken(name, replace(request, path_tail="tok-1"), url_token="tok-1")
    with pytest.raises(Refused):
        doors.taken(name, request, url_token="tok-1")


@pytest.mark.parametrize(("name", "file"), TOKENED)
def test_a_changed_or_missing_token_is_refused(name: str, file: str) -> None:
    request = doors.sample(name, file)
    for tail in ("", request.path_tail[:-1], request.path_tail + "1", "токен", f"x/{request.path_tail}"):
        assert refused(name, replace(request, path_tail=tail)).status == 403


@pytest.mark.parametrize(("name", "file"), ALL)
def test_what_was_taken_is_understood_later_without_its_proofs(name: str, file: str) -> None:
    """A request that waited in the spool is parsed again from what is kept: no token, no signature, no address."""
    request = doors.sample(name, file)
    kept = {key: value for key, value in request.headers.items() if key not in (*SIGNED.values(), "authorization")}
    later = replace(request, headers=kept, path_tail="", remote_ip="")
    assert doors.door(name).parse(doors.settings(name), later, "RU") == doors.taken(name, request)


# --- replies and tests ---------------------------------------------------------------------


@pytest.mark.parametrize(("name", "file"), ALL)
def test_the_answer_is_exactly_200_for_first_and_repeat(name: str, file: str) -> None:
    source, request = doors.door(name), doors.sample(name, file)
    parsed = doors.taken(name, request)
    for duplicate in (False, True):
        receipts = [Receipt("01", duplicate) for _ in parsed.leads]
        reply = source.reply(doors.settings(name), request, parsed, receipts)
        expected = b"ok" if name == "tilda" else b"{}"
        assert (reply.status, reply.body) == (200, expected)


@pytest.mark.parametrize("name", ["tilda", "cf7", "elementor", "wpforms", "gravityforms", "google-forms", "generic"])
def test_an_empty_post_tests_the_address_and_makes_nothing(name: str) -> None:
    assert doors.taken(name, doors.posted(name, "")) == Parsed()


@pytest.mark.parametrize("name", EVERY_DOOR)
def test_settings_hide_every_secret(name: str) -> None:
    shown = repr(doors.settings(name))
    secrets = {key: value for key, value in doors.KEYS.get(name, {}).items() if key not in
               ("api_key_name", "shop_id", "trusted_ip")}  # fmt: skip
    assert [key for key, value in secrets.items() if value in shown] == []


@pytest.mark.parametrize("name", EVERY_DOOR)
def test_every_setting_has_a_description(name: str) -> None:
    assert [key for key, field in doors.door(name).settings.model_fields.items() if not field.description] == []


# --- whatever comes ------------------------------------------------------------------------


def opened(name: str) -> object:
    """Settings without proofs, so that parse meets everything."""
    needed = {"google-ads": {"google_key": "k"}, "meta": {"app_secret": "s", "verify_token": "v"},
              "stripe": {"signing_secret": "s"}, "shopify": {"client_secret": "s"}}  # fmt: skip
    return doors.door(name).settings(**needed.get(name, {}))


def survives(name: str, request: Inbound) -> None:
    source, chosen = doors.door(name), opened(name)
    try:
        parsed = source.parse(chosen, request, "RU")
    except (Unreadable, Refused):
        return
    for made in (*parsed.leads, *parsed.payments, *parsed.errands):
        json.dumps(repr(made)).encode()
    for lead in (*parsed.leads, *(one.lead for one in parsed.payments if one.lead)):
        assert all(isinstance(text, str) for text in (*lead.extra.values(), *lead.utm.values(), lead.lead_uid))
        " ".join((lead.name, lead.comment, lead.form, *lead.extra, *lead.extra.values())).encode()
    for verified in (
        request,
        inbound(request.body, headers={"stripe-signature": "t=1,v1=é", "authorization": "Basic é"}),
    ):
        try:
            source.verify(doors.settings(name), verified)
        except (Refused, Unreadable):
            continue


@settings(max_examples=150)
@given(st.sampled_from(EVERY_DOOR), st.binary(max_size=200))
def test_no_bytes_break_a_door(name: str, body: bytes) -> None:
    survives(name, inbound(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.sampled_from(EVERY_DOOR), JSON)
def test_no_json_breaks_a_door(name: str, tree: object) -> None:
    survives(name, inbound(json.dumps(tree)))


@settings(max_examples=300)
@given(st.sampled_from(ALL), st.integers(0, 2**32), JSON)
def test_a_sample_with_parts_replaced_or_lost_breaks_no_door(which: tuple[str, str], seed: int, piece: object) -> None:
    """A real request in which any value may have become anything: what a changed vendor sends."""
    name, file = which
    request = doors.sample(name, file)
    rng = random.Random(seed)
    if request.body[:1] == b"{":
        changed = json.dumps(_altered(json.loads(request.body), rng, piece)).encode()
    else:
        at = rng.randrange(len(request.body))
        changed = request.body[:at] + str(piece).encode("utf-8", "replace") + request.body[at + rng.randrange(30) :]
    survives(name, replace(request, body=changed))


def _altered(tree: object, rng: random.Random, piece: object) -> object:
    if rng.random() < 0.12:
        return piece
    if isinstance(tree, dict):
        return {key: _altered(value, rng, piece) for key, value in tree.items() if rng.random() > 0.08}
    if isinstance(tree, list):
        return [_altered(value, rng, piece) for value in tree]
    return tree
