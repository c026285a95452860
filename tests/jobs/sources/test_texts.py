import pytest

from jobs.sources.texts import Trouble, refusal_text, trouble_of


@pytest.mark.parametrize(
    ("status", "reason", "trouble"),
    [
        (401, "the signature is wrong or missing", "secret"),
        (401, "the signature is too old, or the clock of this machine is wrong", "clock"),
        (403, "the sender's address is none of YooKassa's", "address"),
        (403, "the event is of another shop", "account"),
        (403, "another community", "account"),
        (403, "the token in the address is wrong or missing", "token"),
        (400, "the JSON has no fields", "unreadable"),
    ],
)
def test_a_refusal_speaks_of_its_kind_of_trouble(status: int, reason: str, trouble: Trouble) -> None:
    assert trouble_of(status, reason) == trouble


def test_an_address_that_is_not_let_in_names_the_setting_of_each_door() -> None:
    told = refusal_text("ru", 3, 403, "the sender's address is none of YooKassa's", "14:02")
    assert told.startswith("3 × 403 с 14:02: ")
    assert "allowed_ips" in told
    assert "trusted_ip" in told
