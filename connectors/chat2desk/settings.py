"""What config.yaml may say about a Chat2Desk account."""

from connectors.doors import DoorSettings


class Chat2DeskSettings(DoorSettings):
    """A source of type `chat2desk`. Its signature is not documented: set `url_token`."""
