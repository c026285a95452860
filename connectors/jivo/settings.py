"""What config.yaml may say about a Jivo account."""

from connectors.callfields import CallSettings


class JivoSettings(CallSettings):
    """A source of type `jivo`. It signs nothing: set `url_token`."""
