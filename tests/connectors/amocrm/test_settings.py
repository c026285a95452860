"""What may be written in config.yaml."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.amocrm import CONNECTOR, AmocrmSettings, authorize_url
from connectors.base import Rate

OAUTH = {"client_id": "id", "client_secret": "s3cret-value", "redirect_uri": "https://hub.example.com/cb"}
BASE = "https://acme.amocrm.ru"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"base_url": BASE}, "either access_token or oauth"),
        ({"base_url": BASE, "access_token": "t", "oauth": OAUTH}, "either access_token or oauth"),
        ({"base_url": BASE, "access_token": " "}, "access_token is empty"),
        ({"base_url": "acme.amocrm.ru", "access_token": "t"}, "is not a web address"),
        ({"base_url": "https://www.amocrm.ru", "access_token": "t"}, "the common www one"),
        ({"base_url": BASE + "?x=1", "access_token": "t"}, "no query"),
        ({"base_url": BASE + "/leads/pipeline/", "access_token": "t"}, "must end after the host"),
        ({"base_url": BASE, "access_token": "t", "rate": {"calls": 0}}, "greater than 0"),
        ({"base_url": BASE, "access_token": "t", "pace": 7}, "Extra inputs"),
    ],
)
def test_what_cannot_work_is_said(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as caught:
        AmocrmSettings.model_validate(given)
    assert "s3cret-value" not in str(caught.value)


def test_the_pace_is_the_vendors_unless_set() -> None:
    plain = AmocrmSettings.model_validate({"base_url": BASE + "/", "access_token": "t"})
    assert plain.base_url == BASE
    assert CONNECTOR.capabilities(plain).max_rate == Rate(7, 1.0)
    slower = AmocrmSettings.model_validate({"base_url": BASE, "access_token": "t", "rate": {"calls": 5}})
    assert CONNECTOR.capabilities(slower).max_rate == Rate(5, 1.0)
    assert CONNECTOR.capabilities(slower).look_again_s == (0, 5, 35)


def test_secrets_do_not_show() -> None:
    settings = AmocrmSettings.model_validate({"base_url": BASE, "oauth": OAUTH})
    assert "s3cret-value" not in repr(settings)


@pytest.mark.parametrize(
    ("base_url", "start"),
    [
        ("https://acme.amocrm.ru", "https://www.amocrm.ru/oauth?"),
        ("https://acme.kommo.com", "https://www.kommo.com/oauth?"),
        ("http://127.0.0.1:8080/amocrm", "http://127.0.0.1:8080/amocrm/oauth?"),
    ],
)
def test_consent_is_asked_where_the_account_lives(base_url: str, start: str) -> None:
    settings = AmocrmSettings.model_validate({"base_url": base_url, "oauth": OAUTH})
    url = authorize_url(settings, "st/ate")
    assert url.startswith(start)
    assert "client_id=id" in url
    assert "state=st%2Fate" in url
    assert "s3cret-value" not in url
