"""What HubSpot says when it refuses: the envelope and its best known texts (connectors/hubspot/NOTES.md)."""

import json
from typing import Any

from connectors.sandbox.base import SandboxResponse


class RefusedError(Exception):
    """A call that is refused; `body` is the envelope."""

    def __init__(self, status: int, message: str, category: str = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {
            "status": "error",
            "message": message,
            "correlationId": "5a9d0c5e-0000-4000-8000-000000000001",
            "category": category,
            **more,
        }

    def response(self, headers: dict[str, str] | None = None) -> SandboxResponse:
        return SandboxResponse(self.status, self.body, dict(headers or {}))

    def in_batch(self, **context: list[str]) -> dict[str, Any]:
        """As one of the `errors` of a 207."""
        return {
            "status": "error",
            "category": self.body["category"],
            "message": self.body["message"],
            "context": {**self.body.get("context", {}), **context},
            "errors": self.body.get("errors", []),
            "links": {},
        }


def bad_values(problems: list[tuple[str, str, str]]) -> RefusedError:
    """(property, code, text): the list goes as JSON into the message text, as HubSpot does it."""
    items = [{"isValid": False, "message": text, "error": code, "name": name} for name, code, text in problems]
    return RefusedError(400, f"Property values were not valid: {json.dumps(items, ensure_ascii=False)}")


def not_set(object_type: str, names: list[str]) -> RefusedError:
    message = f"Error creating {object_type}. Some required properties were not set."
    return RefusedError(400, message, context={"properties": names})


def taken(object_type: str, name: str, value: str, new: str, holder: str) -> RefusedError:
    """The documented sentence of a unique property whose value another record has."""
    where = (
        f"portalId=1, objectTypeId=ObjectTypeId{{legacyObjectType={object_type}}}, propertyName={name}, value={value}"
    )
    return RefusedError(
        400, f"Cannot set PropertyValueCoordinates{{{where}}} on {new}. {holder} already has that value."
    )


def exists(holder: str) -> RefusedError:
    return RefusedError(409, f"Contact already exists. Existing ID: {holder}", "CONFLICT")


def not_found(what: str = "resource not found") -> RefusedError:
    return RefusedError(404, what, "OBJECT_NOT_FOUND")


def lacking(scope: str) -> RefusedError:
    message = "This app hasn't been granted all required scopes to make this call."
    details = [
        {"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": [scope]}}
    ]
    return RefusedError(403, message, "MISSING_SCOPES", errors=details)


def throttled(policy: str) -> RefusedError:
    words = {"TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "SECONDLY": "secondly", "DAILY": "daily"}[policy]
    message = f"You have reached your {words} limit."
    return RefusedError(429, message, "RATE_LIMITS", errorType="RATE_LIMIT", policyName=policy)


def unauthorised(category: str = "INVALID_AUTHENTICATION") -> RefusedError:
    message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return RefusedError(401, message, category)
