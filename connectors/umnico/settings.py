"""What config.yaml may say about an Umnico account."""

from connectors.doors import DoorSettings


class UmnicoSettings(DoorSettings):
    """A source of type `umnico`. Umnico signs nothing: set `url_token`."""
