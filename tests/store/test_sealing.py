"""Tokens at rest: sealed, bound to their place, readable over a rotation of keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.sealing import CannotUnseal, Sealer, derive

OLD, NEW, OTHER = "old-secret-key-000001", "new-secret-key-000002", "other-secret-key-0003"


@given(st.binary(max_size=400), st.text(min_size=1, max_size=20))
def test_what_is_sealed_opens_again(plain: bytes, about: str) -> None:
    sealer = Sealer([NEW])
    key_id, sealed = sealer.seal(plain, about=about)
    assert sealer.open(key_id, sealed, about=about) == plain
    assert plain not in sealed or len(plain) < 4


def test_the_same_text_never_looks_the_same() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal(b"token", about="sales")[1] != sealer.seal(b"token", about="sales")[1]


def test_an_old_key_still_opens_and_the_newest_seals() -> None:
    key_id, sealed = Sealer([OLD]).seal(b"token", about="sales")
    rotated = Sealer([NEW, OLD])
    assert rotated.open(key_id, sealed, about="sales") == b"token"
    assert not rotated.is_newest(key_id)
    assert rotated.is_newest(rotated.seal(b"token", about="sales")[0])


def test_without_its_key_or_in_another_place_it_does_not_open() -> None:
    key_id, sealed = Sealer([OLD]).seal(b"token", about="sales")
    with pytest.raises(CannotUnseal, match=r"hub\.secret_key"):
        Sealer([OTHER]).open(key_id, sealed, about="sales")
    with pytest.raises(CannotUnseal):
        Sealer([OLD]).open(key_id, sealed, about="another")
    with pytest.raises(CannotUnseal):
        Sealer([OLD]).open(key_id, sealed[:-1] + bytes([sealed[-1] ^ 1]), about="sales")


def test_keys_for_different_purposes_have_nothing_in_common() -> None:
    assert derive(NEW, "tokens") != derive(NEW, "sessions")
    assert len(derive(NEW, "tokens")) == 32
