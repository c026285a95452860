"""What leaves the hub in a log, an error or a kept request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.redact import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("?code=abcdef12&client_secret=xyzxyz", "?code=***&client_secret=***"),
        ('{"access_token": "eyJhbGciOi", "expires_in": 3600}', '{"access_token": "***", "expires_in": 3600}'),
        ("Authorization: Bearer eyJ0.abc-def", "Authorization: *** ***"),
        ('{"field_code": "PHONE", "enum_code": "WORK"}', '{"field_code": "PHONE", "enum_code": "WORK"}'),
        ('{"error_code": "NOT_FOUND"}', '{"error_code": "NOT_FOUND"}'),
        ('{"code": "NotSupportedChoice"}', '{"code": "NotSupportedChoice"}'),
        ('{"code": "def50200a1b2", "name": "x"}', '{"code": "***", "name": "x"}'),
        ("call +7 916 123-45-67", "call +7916***4567"),
        ("+7 916 123-45-67. Call back by 08:27", "+7916***4567. Call back by 08:27"),
        ("tel:+79161234567", "tel:+7916***4567"),
        ('{"phone":79161234567,"id":24515001234}', '{"phone":7916***4567,"id":24515001234}'),
        ("+79161234567 2026-11-26T05:27:01", "+7916***2026-11-26T05:27:01"),
        ("26.11.2026 08:12:11, 2026-11-26 05:12:06.640", "26.11.2026 08:12:11, 2026-11-26 05:12:06.640"),
        ("write to ivan.petrov@example.ru", "write to i***@example.ru"),
        ('{"id": 24515001, "created_at": 1795598098}', '{"id": 24515001, "created_at": 1795598098}'),
    ],
)
def test_secrets_and_people_go_and_the_rest_stays_readable(text: str, shown: str) -> None:
    assert redact(text) == shown


@given(st.text("abcdefghij0123456789", min_size=8, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_a_given_secret_is_never_left(secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before} {secret} {after}", [secret])
