"""A real chromium for tests: the Debian one, driven by playwright.

Tests that use it run on one event loop for the whole session, which the browser belongs to:

    pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

REMEDY = "no chromium on this machine: install it (Debian: apt-get install chromium), or set LEADHUB_CHROMIUM to one"
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
ANSWERS_S = 120.0
"""A browser that takes longer for anything stands still."""
expect.set_options(timeout=ANSWERS_S * 1000)


def chromium() -> str:
    """Path of a chromium, or skips the test with the remedy."""
    path = os.environ.get("LEADHUB_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip(REMEDY)
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        await launched.close()


@asynccontextmanager
async def visitor(browser: Browser, **how: Any) -> AsyncIterator[BrowserContext]:
    """Someone with cookies and storage of their own; `how` as of `Browser.new_context`."""
    async with asyncio.timeout(ANSWERS_S):  # playwright would wait for ever
        opened = await browser.new_context(**how)
    opened.set_default_timeout(ANSWERS_S * 1000)
    try:
        yield opened
    finally:
        # Not what is tested: what a browser does not close now goes with the browser itself.
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_S):
                await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    async with visitor(browser, locale="ru-RU") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    async with asyncio.timeout(ANSWERS_S):
        return await context.new_page()
