"""What config.yaml may say about a portal."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Rate
from connectors.bitrix24 import CONNECTOR, Bitrix24Settings

OAUTH = {"client_id": "local.1", "client_secret": "very-secret"}


@pytest.mark.parametrize(
    "url",
    [
        "https://mycompany.bitrix24.ru/rest/1/abc123secret/",
        "https://mycompany.bitrix24.ru/rest/1/abc123secret",
        "https://mycompany.bitrix24.ru/rest/1/abc123secret/profile.json",
    ],
)
def test_a_webhook_is_taken_as_the_portal_shows_it(url: str) -> None:
    settings = Bitrix24Settings.model_validate({"webhook_url": url})
    assert (settings.site(), settings.webhook_path()) == ("https://mycompany.bitrix24.ru", "1/abc123secret/")
    assert settings.secrets() == ["abc123secret"]


def test_a_prefix_before_rest_belongs_to_the_site() -> None:
    settings = Bitrix24Settings.model_validate({"webhook_url": "http://127.0.0.1:8090/bitrix24/rest/1/sandbox/"})
    assert settings.site() == "http://127.0.0.1:8090/bitrix24"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "webhook_url": "https://mycompany.bitrix24.ru/rest/1/abc123secret/",
            "oauth": OAUTH,
            "base_url": "https://x.ru",
        },
        {"oauth": OAUTH},
        {"webhook_url": "https://mycompany.bitrix24.ru/abc123secret"},
        {"webhook_url": "https://mycompany.bitrix24.ru/rest/1/abc123secret/", "recrod": "lead"},
        {"webhook_url": "https://mycompany.bitrix24.ru/rest/1/crm/abc123secret/"},
        {"webhook_url": "https://mycompany.bitrix24.ru/rest/1/abc123secret/crm/deal"},
        {"webhook_url": "https://mycompany.bitrix24.ru/rest/1/abc123secret/profile.json?very-secret"},
        {"webhook_url": "https://admin:very-secret@mycompany.bitrix24.ru/rest/1/abc123secret/"},
        {"oauth": OAUTH, "base_url": "https://admin:abc123secret@mycompany.bitrix24.ru"},
        {"oauth": OAUTH, "portal": "admin:abc123secret@mycompany.bitrix24.ru"},
    ],
)
def test_nonsense_is_refused_without_repeating_the_secret(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Bitrix24Settings.model_validate(given)
    assert "abc123secret" not in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    settings = Bitrix24Settings.model_validate(
        {"oauth": OAUTH, "portal": "mycompany.bitrix24.ru", "application_token": "app-token"}
    )
    assert settings.site() == "https://mycompany.bitrix24.ru"
    assert "very-secret" not in repr(settings)
    assert set(settings.secrets()) == {"very-secret", "app-token"}


def test_the_pace_is_just_under_the_vendors_and_can_be_set() -> None:
    url = "https://mycompany.bitrix24.ru/rest/1/abc123secret/"
    plain = CONNECTOR.capabilities(Bitrix24Settings.model_validate({"webhook_url": url}))
    assert plain.max_rate == Rate(45, 1.0, 1.95)
    assert (plain.look_again_s, plain.recheck_s, plain.max_batch) == ((2, 10, 30, 65), (300,), 50)
    rate = {"calls": 240, "leak_per_s": 4.9}
    enterprise = Bitrix24Settings.model_validate({"webhook_url": url, "rate": rate})
    assert CONNECTOR.capabilities(enterprise).max_rate == Rate(240, 1.0, 4.9)
