"""Where a recording of the PBX can be fetched: it knows only its file's name."""

from urllib.parse import quote

from connectors.asterisk.settings import AsteriskSettings

_SPOOL = "/monitor/"  # /var/spool/asterisk/monitor/ on every distribution


def recording_url(settings: AsteriskSettings, name: str) -> str:
    """A file name, relative to the monitor folder or absolute, behind `recordings_url`; "" without one."""
    if name.startswith(("https://", "http://")):
        return name
    if not name or not settings.recordings_url:
        return ""
    relative = name.rpartition(_SPOOL)[2] if _SPOOL in name else name
    parts = [part for part in relative.split("/") if part not in ("", ".", "..")]
    return f"{settings.recordings_url.rstrip('/')}/{quote('/'.join(parts))}"
