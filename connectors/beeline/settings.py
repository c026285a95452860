"""What config.yaml may say about a Beeline cloud PBX."""

from connectors.callfields import CallSettings


class BeelineSettings(CallSettings):
    """A source of type `beeline`. It signs nothing: set `url_token`."""
