"""A configuration that is right, and a way to load texts as config.yaml."""

from collections.abc import Mapping
from pathlib import Path

from jobs.config.loading import Settings, load

VALID = """\
hub:
  listen: 127.0.0.1:8080
  database: sqlite:///var/leadhub.db
  timezone: Europe/Moscow
  locale: ru
  default_region: RU
  secret_key: ${LEADHUB_SECRET_KEY}
  fallback: {after: 10m, to: [ops]}
connections:
  sales:
    type: amocrm
    base_url: https://mycompany.amocrm.ru
    access_token: ${AMO_TOKEN}
    hook_token: ${AMO_TOKEN}
  b24: {type: bitrix24, webhook_url: "https://mycompany.bitrix24.ru/rest/1/${B24_KEY}/"}
  hs: {type: hubspot, access_token: "${HUBSPOT_TOKEN}", client_secret: "${HUBSPOT_TOKEN}"}
sources:
  site: {type: webform, key: "${SITE_KEY}"}
  landing: {type: webform, url_token: "${SITE_KEY}"}
routes:
  - name: site-to-sales
    from: [site]
    when: "lead.utm_source == 'yandex'"
    to: [sales]
    mapping: own
  - {from: ["*"], to: [b24, hs]}
syncs:
  contacts: {left: sales, right: hs, object: contact, direction: both, poll: 30s}
alerts:
  channels:
    ops: {type: telegram, bot_token: "${TG_TOKEN}", chat_id: -100123}
  show_personal: false
sandbox:
  listen: 127.0.0.1:8090
"""

SECRET = "Zq7secretZq7secretZq7"
"""Every variable of ENV holds it: it must never be seen in a message."""

ENV = {
    "LEADHUB_SECRET_KEY": SECRET + "-key",
    "AMO_TOKEN": SECRET + "-amo",
    "B24_KEY": SECRET + "b24",
    "HUBSPOT_TOKEN": SECRET + "-hs",
    "SITE_KEY": SECRET + "-site",
    "TG_TOKEN": "123456:" + SECRET,
}


def write(folder: Path, text: str | bytes, **files: str) -> Path:
    """Writes config.yaml and a mapping `own` into `folder`; `files` are further mappings by name."""
    mappings = folder / "mappings"
    mappings.mkdir(parents=True, exist_ok=True)
    for name, content in {"own": 'deal: {title: "{{ lead.name }}"}\n', **files}.items():
        (mappings / f"{name}.yaml").write_text(content, encoding="utf-8")
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def loaded(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None) -> Settings:
    return load(write(folder, text), ENV if environ is None else environ)
