"""What config.yaml may say about a Telphin account."""

from connectors.callfields import CallSettings


class TelphinSettings(CallSettings):
    """A source of type `telphin`. It signs nothing: set `url_token`."""
