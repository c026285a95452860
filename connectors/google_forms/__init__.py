"""Google Forms, by a few lines of Apps Script that NOTES.md has."""

from connectors.doors import Door
from connectors.google_forms.parse import parse
from connectors.google_forms.settings import GoogleFormsSettings

__all__ = ["SOURCE", "GoogleFormsSettings"]

SOURCE = Door(name="google-forms", title="Google Forms", settings=GoogleFormsSettings, group="form", parse=parse)
