"""*Syncs* in a real browser: a conflict of two CRMs is seen and decided, on a phone and in the dark too."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from store import sync_log, sync_pairs
from tests.support.browser import visitor
from tests.support.memory_connector import MAPPING, Accounts, memory_crms
from tests.support.memory_crm import MemoryCrm
from tests.support.running_hub import RunningHub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONNECTIONS = """
  bitrix: {type: memory, account: left}
  hs: {type: memory, account: right}
"""
SYNCS = """
syncs:
  contacts: {left: bitrix, right: hs, object: contact, poll: 1s, brake: {at_least: 3, records: 6}}
  mirror: {left: bitrix, right: hs, object: company, poll: 1s, shadow: true}
"""
COMPANY = """
object: company
match: [inn]
fields:
  name: name
  inn: inn
"""
PHONE = {"width": 390, "height": 844}
NUMBER = "+79161234567"


@dataclass
class Scene:
    hub: RunningHub
    accounts: Accounts

    @property
    def left(self) -> MemoryCrm:
        return self.accounts["left"]

    @property
    def right(self) -> MemoryCrm:
        return self.accounts["right"]

    def until(self, kind: str, count: int) -> None:
        self.hub.wait_for(lambda conn: sync_log.count_issues(conn, "contacts").get(kind, 0) == count)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("hub")
    mappings = folder / "mappings" / "sync"
    mappings.mkdir(parents=True)
    (mappings / "contact.yaml").write_text(MAPPING, encoding="utf-8")
    (mappings / "company.yaml").write_text(COMPANY, encoding="utf-8")
    (folder / "mappings" / "memory-leads.yaml").write_text("deal: {title: lead}\n", encoding="utf-8")
    with memory_crms() as accounts:
        left, right = accounts["left"], accounts["right"]
        one = left.put("contact", first_name="Анна", position="менеджер", phones=(NUMBER,))
        left.put("company", name="ООО Окна", inn="7701234567")
        with running_hub(folder, connections=CONNECTIONS, more=SYNCS) as running:
            running.wait_for(lambda conn: len(right.alive("contact")) == 1)
            (there,) = right.alive("contact")
            for id in ("Игорь", "Иван"):
                left.put("contact", first_name=id, phones=("+79031112233",))
            right.put("contact", first_name="Игорь", phones=("+79031112233",))
            made = Scene(running, accounts)
            made.until("ambiguous", 1)
            left.edit("contact", one, position="директор")
            right.edit("contact", there, position="бухгалтер")
            made.until("conflict", 1)
            for number in range(8):
                right.put("contact", first_name=f"N{number}", phones=(f"+7916000000{number}",))
            running.wait_for(lambda conn: (last := sync_log.last_pass(conn, "contacts")) and last.state == "braked")
            yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ru", "en"])
async def test_the_page_fits_a_phone_in_both_languages_light_and_dark(
    scene: Scene, browser: Browser, scheme: Any, lang: str
) -> None:
    async with visitor(browser, viewport=PHONE, color_scheme=scheme) as context:
        page = await context.new_page()
        errors: list[str] = []
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        await page.goto(f"{scene.hub.url}/syncs?lang={lang}")
        card = page.get_by_role("region", name="contacts")
        await expect(card).to_contain_text("директор")
        await card.get_by_text({"ru": "Оставить это", "en": "Keep this"}[lang]).first.click()
        await card.get_by_text({"ru": "Разрешить проход", "en": "Allow the pass"}[lang], exact=True).click()
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        rows = await page.evaluate("new Set([...document.querySelectorAll('nav a')].map((a) => a.offsetTop)).size")
        assert rows == 1  # the menu is one line
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(",")[:3])) > 384
        assert light == (scheme == "light")
        assert errors == []


async def test_a_person_allows_the_pass_decides_and_sees_the_other_crm_changed(scene: Scene, page: Page) -> None:
    await page.goto(f"{scene.hub.url}/syncs")
    card = page.get_by_role("region", name="contacts")
    await expect(card).to_contain_text("ждёт разрешения")
    await expect(card).to_contain_text("ждёт вас: 2")
    await expect(page.get_by_role("region", name="mirror")).to_contain_text("Теневой режим")
    await card.get_by_text("Разрешить проход", exact=True).click()
    await card.get_by_role("button", name="Да, записать").click()
    await expect(page.get_by_role("status")).to_contain_text("проход разрешён")
    scene.hub.wait_for(lambda conn: len(scene.left.alive("contact")) == 11)
    await page.goto(f"{scene.hub.url}/syncs")
    conflict = page.locator("[data-issue]").filter(has_text="Должность")
    await expect(conflict).to_contain_text("директор")
    await expect(conflict.get_by_role("link").first).to_have_attribute("href", "https://left.example/contact/1")
    right = conflict.locator(".side").nth(1)
    await right.get_by_text("Оставить это").click()
    await expect(right).to_contain_text("вместо «директор» будет записано «бухгалтер»")
    await right.get_by_role("button", name="Записать").click()
    await expect(page.get_by_role("status")).to_contain_text("Решено")
    scene.until("conflict", 0)
    scene.hub.wait_for(lambda conn: scene.left.alive("contact")["1"].values["position"] == "бухгалтер")
    await page.goto(f"{scene.hub.url}/syncs")
    unclear = page.locator("[data-issue]").filter(has_text="Это одно и то же")
    await unclear.locator("summary").first.click()
    await unclear.get_by_label("«bitrix»").select_option("4")
    await unclear.get_by_role("button", name="Это одно и то же").click()
    scene.hub.wait_for(lambda conn: len(sync_pairs.partners(conn, "contacts", "left", ["4"])) == 1)
