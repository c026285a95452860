"""What is answered when something is wrong: JSON to programs, a page to people."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from store.db import StoreUnavailable
from web.console import Console

log = logging.getLogger(__name__)

FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics", "/hooks/")
RETRY_AFTER = {"Retry-After": "5"}


def add_handlers(app: FastAPI, console: Console) -> None:
    """Nothing here asks the database: it may be what is wrong."""

    def answer(request: Request, status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
        if request.url.path.startswith(FOR_PROGRAMS):
            response: Response = problem(status, error)
        else:
            response = console.problem(request, status)
        response.headers.update(headers or {})
        return response

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        standard = error.detail == HTTPStatus(error.status_code).phrase  # "Not Found": nobody's own words
        said = str(error.detail).lower() if standard else str(error.detail)
        return answer(request, error.status_code, said, error.headers)

    @app.exception_handler(RequestValidationError)
    async def not_allowed(request: Request, error: RequestValidationError) -> Response:
        details = [{"where": _where(one["loc"]), "message": str(one["msg"])} for one in error.errors()]
        unreadable = any(one["type"] == "json_invalid" for one in error.errors())
        if unreadable:
            return problem(400, "the body is not JSON", details)
        return problem(422, "; ".join(f"{one['where']}: {one['message']}" for one in details[:3]), details)

    @app.exception_handler(StoreUnavailable)
    async def no_database(request: Request, _error: StoreUnavailable) -> Response:
        return answer(request, 503, "the database is not available", RETRY_AFTER)

    @app.exception_handler(Exception)
    async def broken(request: Request, _error: Exception) -> Response:
        """Starlette raises the error again afterwards: the log has it with its trace."""
        return answer(request, 500, "an error inside leadhub; its log says more")


def problem(status: int, error: str, details: list[dict[str, str]] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "details": details or []}, status)


def _where(path: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in path)
