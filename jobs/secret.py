"""The hub's secret key: from the configuration, or made at first start and kept beside the database."""

import os
import secrets
import stat
from pathlib import Path

from jobs.config.loading import Settings

FILE = Path("var/secret.key")


def secret_keys(settings: Settings) -> tuple[str, ...]:
    """Newest first. Makes `var/secret.key`, readable by the owner only, where none is configured."""
    if settings.hub.secret_key:
        return tuple(key.get_secret_value() for key in settings.hub.secret_key)
    path = settings.base_dir / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
        return (path.read_text().strip(),)
    key = secrets.token_hex(32)
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return (key,)
