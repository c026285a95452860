"""Every answer of the vendor becomes one of the five outcomes, told by its code."""

from typing import Any

import httpx
import pytest

from connectors.bitrix24.answers import Answer, ExpiredTokenError, Interpreter, MethodMissingError, MovedError
from connectors.errors import (
    AuthError,
    ConnectorError,
    PermanentError,
    RateLimitedError,
    RetryableError,
    UnknownOutcomeError,
)
from tests.support.manual_clock import ManualClock

REQUEST = httpx.Request("POST", "https://portal.example.ru/rest/1/secret/crm.deal.add")


def response(status: int, body: Any, **headers: str) -> httpx.Response:
    if isinstance(body, bytes):
        return httpx.Response(status, content=body, headers=headers, request=REQUEST)
    return httpx.Response(status, json=body, headers=headers, request=REQUEST)


def outcome(status: int, body: Any, *, writes: bool = True, **headers: str) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        Interpreter(ManualClock())("crm.deal.add", response(status, body, **headers), writes)
    return caught.value


def refused(code: Any, text: str = "") -> dict[str, Any]:
    return {"error": code, "error_description": text}


@pytest.mark.parametrize(
    ("status", "body", "on_write", "on_read"),
    [
        (503, refused("QUERY_LIMIT_EXCEEDED"), RateLimitedError, RateLimitedError),
        (429, refused("operation_time_limit"), RateLimitedError, RateLimitedError),
        (503, refused("OVERLOAD_LIMIT"), RateLimitedError, RateLimitedError),
        (401, refused("OVERLOAD_LIMIT"), RateLimitedError, RateLimitedError),
        (401, refused("expired_token"), ExpiredTokenError, ExpiredTokenError),
        (401, refused("CONNECTION_ERROR"), RetryableError, RetryableError),
        (401, refused("invalid_token"), AuthError, AuthError),
        (401, refused("NO_AUTH_FOUND"), AuthError, AuthError),
        (403, refused("INVALID_CREDENTIALS"), AuthError, AuthError),
        (401, refused("APPLICATION_NOT_FOUND"), AuthError, AuthError),
        (403, refused("insufficient_scope"), AuthError, AuthError),
        (403, refused("ACCESS_DENIED"), AuthError, AuthError),
        (400, refused("ACCESS_DENIED"), PermanentError, PermanentError),
        (400, refused("", "Access denied."), AuthError, AuthError),
        (401, refused("METHOD_CONFIRM_WAITING"), AuthError, AuthError),
        (410, refused("PORTAL_DELETED"), AuthError, AuthError),
        (500, refused("PORTAL_DELETED"), AuthError, AuthError),
        (404, refused("ERROR_METHOD_NOT_FOUND"), MethodMissingError, MethodMissingError),
        (404, {"detail": "Not Found"}, MethodMissingError, MethodMissingError),
        (400, refused("", "Parameter 'fields' must be array."), PermanentError, PermanentError),
        (400, refused(0, "whatever"), PermanentError, PermanentError),
        (400, refused("", "Disk resource exhausted"), RetryableError, RetryableError),
        (400, refused("ERROR_CORE", "Invalid e-mail"), PermanentError, PermanentError),
        (400, refused("CRM_FIELD_ERROR_REQUIRED"), PermanentError, PermanentError),
        (500, refused("INTERNAL_SERVER_ERROR"), UnknownOutcomeError, RetryableError),
        (500, refused("ERROR_UNEXPECTED_ANSWER"), UnknownOutcomeError, RetryableError),
        (400, refused("ERROR_CORE", "SQL query error!"), UnknownOutcomeError, RetryableError),
        (500, refused("something new"), UnknownOutcomeError, RetryableError),
        (503, b"<html>Service unavailable</html>", UnknownOutcomeError, RetryableError),
        (502, b"<html>Bad gateway</html>", UnknownOutcomeError, RetryableError),
        (429, b"<html>Too many</html>", UnknownOutcomeError, RetryableError),
        (200, b"<html>Maintenance</html>", UnknownOutcomeError, RetryableError),
        (200, b'{"result": 12', UnknownOutcomeError, RetryableError),
        (200, b"", UnknownOutcomeError, RetryableError),
        (200, {"time": {}}, UnknownOutcomeError, RetryableError),
        (200, [], UnknownOutcomeError, RetryableError),
        (401, b"", AuthError, AuthError),
    ],
)
def test_an_answer_means(status: int, body: Any, on_write: type, on_read: type) -> None:
    assert isinstance(outcome(status, body), on_write)
    assert isinstance(outcome(status, body, writes=False), on_read)
    assert isinstance(outcome(status, body), UnknownOutcomeError) == (on_write is UnknownOutcomeError)


@pytest.mark.parametrize(
    ("code", "text", "gone"),
    [
        ("NOT_FOUND", "", True),
        ("OWNER_NOT_FOUND", "", True),
        ("", "Not found", True),
        ("", "Элемент не найден", True),
        ("INVALID_ARG_VALUE", "", False),
    ],
)
def test_a_record_that_is_gone_is_told_apart(code: str, text: str, gone: bool) -> None:
    error = outcome(400, refused(code, text))
    assert isinstance(error, PermanentError)
    assert error.gone is gone


def test_what_the_vendor_says_about_a_person_is_not_repeated() -> None:
    error = outcome(400, refused("ERROR_CORE", "Invalid value ivan@example.ru of Иван Петров"))
    assert "ivan" not in str(error)
    assert "Иван" not in str(error)


def test_success_is_a_result_and_its_paging() -> None:
    body = {"result": [{"ID": "1"}], "next": 50, "total": 51, "time": {}}
    assert Interpreter(ManualClock())("x", response(200, body), False) == Answer([{"ID": "1"}], 50, 51)


def test_waiting_grows_while_the_bucket_stays_full_and_starts_over_after_a_success() -> None:
    interpret = Interpreter(ManualClock())
    waits = []
    for _ in range(4):
        with pytest.raises(RateLimitedError) as caught:
            interpret("x", response(503, refused("QUERY_LIMIT_EXCEEDED")), True)
        waits.append(caught.value.retry_after_s)
    assert all(low <= wait <= low * 1.25 for low, wait in zip((1, 2, 4, 8), waits, strict=True))
    interpret("x", response(200, {"result": True}), True)
    with pytest.raises(RateLimitedError) as caught:
        interpret("x", response(503, refused("QUERY_LIMIT_EXCEEDED")), True)
    assert caught.value.retry_after_s <= 1.25


def test_retry_after_is_believed() -> None:
    error = outcome(503, refused("QUERY_LIMIT_EXCEEDED"), **{"retry-after": "7"})
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 7


def test_operating_time_is_waited_for_until_its_reset_by_the_vendors_own_clock() -> None:
    clock = ManualClock()
    interpret = Interpreter(clock)
    time = {"operating": 470.5, "operating_reset_at": 1_000_300, "finish": 1_000_000.0}
    interpret("crm.deal.add", response(200, {"result": 1, "time": time}), True)
    assert interpret.busy
    clock.forward(100)
    clock.jump(-3600)
    for method, expected in (("crm.deal.add", 200.0), ("crm.lead.add", 60.0)):
        with pytest.raises(RateLimitedError) as caught:
            interpret(method, response(429, refused("OPERATION_TIME_LIMIT")), True)
        assert caught.value.retry_after_s == pytest.approx(expected)


@pytest.mark.parametrize(
    ("location", "moved"),
    [
        ("https://new.example.ru/rest/1/secret/crm.deal.add", True),
        ("https://new.example.ru/", True),
        ("http://new.example.ru/rest/1/secret/crm.deal.add", False),
        ("https://auth.example.ru/login/?back=1", False),
        ("", False),
    ],
)
def test_a_redirect_is_a_moved_portal_unless_it_leads_elsewhere(location: str, moved: bool) -> None:
    error = outcome(302, b"", location=location)
    assert isinstance(error, MovedError) is moved
    assert moved or isinstance(error, UnknownOutcomeError)
