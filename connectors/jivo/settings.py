"""What config.yaml may say about a Jivo account."""

from connectors.callfields import CallSettings
from connectors.conversing import TalkSettings


class JivoSettings(TalkSettings, CallSettings):
    """A source of type `jivo`. It signs nothing: set `url_token`. It tells of chats and takes no messages."""
