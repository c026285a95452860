"""What texts for people may say of a connection or a source."""

from typing import Any

from connectors.registry import CONNECTORS
from jobs.config.loading import Settings
from jobs.intake.source import Source
from mappings.views import Named


def about_connection(name: str, settings: Settings) -> dict[str, Any]:
    configured = settings.connections[name]
    return {
        "vendor": CONNECTORS[configured.type].title,
        "title": name,
        "oauth": getattr(configured.settings, "oauth", None) is not None,
    }


def about_source(source: Source, named: Named) -> dict[str, Any]:
    return {"vendor": source.door.title, "title": named.title, "group": source.door.group}
