"""What config.yaml may say about a Slack app."""

from pydantic import Field

from connectors.chats import Secret
from connectors.conversing import TalkSettings


class SlackSettings(TalkSettings):
    """A source of type `slack`."""

    signed_with = ("signing_secret",)

    signing_secret: Secret = Field(description="signing secret of the app, on its page Basic Information")
