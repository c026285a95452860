"""The mapping of each route, for one connection."""

from functools import lru_cache
from pathlib import Path

from jobs.config.loading import Settings
from jobs.intake.routing import Router
from mappings.load import load_mapping
from mappings.schema import LeadMapping
from mappings.texts import Locale


def mappings_by_route(settings: Settings, router: Router, connection: str, crm: str) -> dict[str, LeadMapping]:
    """Route name -> mapping for one connection; "" the CRM's preset, for leads whose route is gone."""
    folder: Path | None = mappings_folder(settings)
    if folder is not None and not any(folder.glob("*.yaml")):
        folder = None  # all are presets, whichever folder it is
    preset = _load_once(f"{crm}-leads", folder, settings.hub.locale)
    found = {"": preset}
    for route in router.routes:
        if connection in route.settings.to:
            name = route.settings.mapping
            found[route.name] = _load_once(name, folder, settings.hub.locale) if name else preset
    return found


@lru_cache(256)
def _load_once(name: str, folder: Path | None, locale: Locale) -> LeadMapping:
    """Compiling a mapping takes a tenth of a second; a changed file is read at the next start."""
    return load_mapping(name, folder, locale=locale)


def mappings_folder(settings: Settings) -> Path:
    return settings.base_dir / "mappings"
