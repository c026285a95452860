"""The secrets of every configured source, for masking what it sent."""

from dataclasses import dataclass, field

from connectors.proofs import secrets_of
from jobs.config.loading import Settings
from leads.masking import Mask


@dataclass(slots=True)
class Masks:
    """A mask is made when it is first asked for."""

    settings: Settings
    _made: dict[str, Mask] = field(default_factory=dict)

    def of(self, source: str) -> Mask:
        """Of a source that is not configured any more only what is called like a secret is known."""
        if source not in self._made:
            configured = self.settings.sources.get(source)
            self._made[source] = Mask(secrets_of(configured.settings) if configured else ())
        return self._made[source]
