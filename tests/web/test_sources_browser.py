"""*Sources* in a real browser: what is wrong is seen, a sample is sent, at a phone's width and in the dark too."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import visitor
from tests.support.running_hub import RunningHub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SOURCES = """
  forms: {type: cf7, title: Форма на сайте, url_token: tok-of-forms-1}
"""
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), sources=SOURCES) as running:
        refuse(running)
        yield running


def refuse(hub: RunningHub) -> None:
    body = json.dumps({"your-name": "Иван", "your-tel": "8 916 123-45-67"}).encode()
    asked = urllib.request.Request(f"{hub.url}/in/forms/wrong", body, {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(asked, timeout=120)


async def test_what_is_refused_is_seen_and_a_sample_can_be_sent(hub: RunningHub, page: Page) -> None:
    await page.goto(f"{hub.url}/sources")
    card = page.get_by_role("region", name="Форма на сайте")
    await expect(card).to_contain_text("1 × 403")
    await expect(card).to_contain_text("/in/forms/***")
    await card.get_by_text("Что отклонено").click()
    await expect(card).to_contain_text("the token in the address is wrong or missing")
    await card.get_by_role("button", name="Повторить 1 отклонённый").click()
    await expect(page.get_by_role("status")).to_have_text("Впущено 0 из 1.")
    await page.get_by_role("region", name="Форма на сайте").get_by_role("button", name="Проверить").click()
    await expect(page.get_by_role("status")).to_contain_text("образец дошёл")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("leadhub test")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone_in_light_and_dark(hub: RunningHub, browser: Browser, scheme: Any) -> None:
    async with visitor(browser, viewport=PHONE, color_scheme=scheme) as context:
        page = await context.new_page()
        errors: list[str] = []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        await page.goto(f"{hub.url}/sources?lang=en")
        await expect(page.get_by_role("heading", name="Sources", level=1)).to_be_visible()
        await page.get_by_text("What was refused").first.click()
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(",")[:3])) > 384
        assert light == (scheme == "light")
        assert errors == []
