"""The cause of an incident as a short code, from an error or from the text that an error left behind."""

import re

from connectors.errors import (
    CANNOT_OPEN,
    NO_SUCH_HOST,
    NOT_SIGNED_IN,
    NOT_TRUSTED,
    AuthError,
    ConnectorError,
    NoAccessError,
    PermanentError,
    RateLimitedError,
)

CODES = frozenset(
    {
        "timeout",
        "network",
        "no_host",
        "untrusted",
        "rate_limited",
        "flood",
        "unreadable",
        "token",
        "not_signed_in",
        "sealed",
        "rights",
        "unpaid",
        "no_access",
        "validation",
        "field",
        "mapping",
        "gone",
        "gave_up",
        "unknown_outcome",
        "disk_full",
        "disk_low",
        "database_down",
        "database_locked",
        "removed",
        "refused",
        "mandatory",
        "over_share",
        "over_records",
        "over_removals",
        "cannot_remove",
        "partner_changed",
        "other_sync",
        "other_accounts",
        "no_stage",
        "no_value",
        "required_empty",
        "required_field",
        "misread",
        "no_payer",
        "no_call",
        "no_deal",
    }
)
"""Codes with words of their own, beside `http_500` to `http_599`. A detail may follow after a colon: `field:NAME`."""

_TIMEOUTS = ("ReadTimeout", "ConnectTimeout", "WriteTimeout", "PoolTimeout", "TimeoutError", "no answer in time")
_NETWORK = (
    *("ConnectError", "ReadError", "WriteError", "CloseError", "RemoteProtocolError", "OSError", "ProxyError"),
    *("no connection", "connection lost"),  # of doors that listen
)
_ACCESS = {401: "token", 402: "unpaid", 403: "rights"}
_FLOOD = "blocked as a flood"
_SLOW_DOWN = ("QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT")
"""Of Bitrix24, which says so with a status that others have for their own trouble, 503."""
_NO_ACCESS = re.compile(r"\bno (\w+) in the settings of source\b|\b(\w+) is not set\b")
_STATUS = re.compile(r"\bHTTP (\d{3})\b")
_OF_SYNCS = (
    (re.compile(r"would change (\d+) of (\d+) paired records, more than ([\d.]+ %)"), "over_share:{0}/{1} > {2}"),
    (re.compile(r"would touch (\d+) records, more than (\d+)"), "over_records:{0} > {1}"),
    (re.compile(r"would remove (\d+) records, more than (\d+)"), "over_removals:{0} > {1}"),
    (re.compile(r"(.+) cannot (archive|delete|tag) by its API(?:; (.+) would work)?"), "cannot_remove:{0}: {1}"),
    (re.compile(r"changed on the other side since they agreed"), "partner_changed"),
    (re.compile(r'the sync "(.+)" writes it, too'), "other_sync:{0}"),
    (re.compile(r'(?:\w+ )?is at the stage "(.*)", which (.+) does not have'), 'no_stage:{1}: "{0}"'),
    (re.compile(r"(?:\w+ )?has a value that (.+) does not know"), "no_value:{0}"),
    (re.compile(r"(?:sync: )?it kept other accounts equal before \((.+)\)"), "other_accounts:{0}"),
    (re.compile(r"is required and empty"), "required_empty"),
    (re.compile(r"(\w+) is required and empty"), "required_field:{0}"),
    (re.compile(r"(?:\w+ )?is (?:not a number|not a date|neither true nor false)"), "misread"),
)
"""What syncs say of themselves, to the letter."""
_OF_ERRANDS = {
    "nobody known pays this: no lead has this phone, e-mail or order": "no_payer",
    "no call with this id is known": "no_call",
    "the lead goes to no CRM": "no_deal",
}
"""What payments and analyses of calls wait for, to the letter (`jobs.talks.deal_notes`)."""
_HTTP_CODE = re.compile(r"http_5\d\d")


def cause_of(error: ConnectorError) -> str:
    """A code for the error that a call ended with."""
    match error:
        case NoAccessError():
            return code_of(str(error))
        case AuthError():
            if at_our_own := _of_stored_token(error.message):
                return at_our_own
            return _ACCESS.get(error.status, "token")
        case RateLimitedError():
            return "flood" if _FLOOD in error.message else "rate_limited"
        case PermanentError(gone=True):
            return "gone"
        case PermanentError():
            return f"field:{error.fields[0]}" if error.fields else "validation"
    if error.status >= 500:
        return f"http_{error.status}"
    if error.status:
        return "unreadable"
    return code_of(error.message) or "network"


def _of_stored_token(text: str) -> str:
    """Nobody was asked: what we have ourselves is no token."""
    if NOT_SIGNED_IN in text:
        return "not_signed_in"
    return "sealed" if CANNOT_OPEN in text else ""


def is_code(cause: str) -> bool:
    head = cause.partition(":")[0]
    return head in CODES or bool(_HTTP_CODE.fullmatch(head))


def code_of(cause: str) -> str:
    """A code as it is; the text of an error as the code that it means, "" when it means none."""
    if at_our_own := _of_stored_token(cause):  # before codes: the error of a call begins with what was asked, "token"
        return at_our_own
    if is_code(cause):
        return cause
    if _FLOOD in cause:
        return "flood"
    if lacks := _NO_ACCESS.search(cause):
        return f"no_access:{lacks.group(1) or lacks.group(2)}"
    if waits := _OF_ERRANDS.get(cause):
        return waits
    for pattern, code in _OF_SYNCS:
        if found := pattern.fullmatch(cause):
            return code.format(*found.groups())
    if any(code in cause for code in _SLOW_DOWN):
        return "rate_limited"
    status = _STATUS.search(cause)
    if status and status.group(1)[0] == "5":
        return f"http_{status.group(1)}"
    if status and int(status.group(1)) in _ACCESS:
        return _ACCESS[int(status.group(1))]
    if status and status.group(1) == "429":
        return "rate_limited"
    if NO_SUCH_HOST in cause or NOT_TRUSTED in cause:
        return "no_host" if NO_SUCH_HOST in cause else "untrusted"
    if any(name in cause for name in _TIMEOUTS):
        return "timeout"
    if any(name in cause for name in _NETWORK):
        return "network"
    return "unreadable" if "the answer cannot be read" in cause else ""
