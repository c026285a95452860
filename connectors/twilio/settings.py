"""What config.yaml may say about an account of Twilio: its calls and its messages come by one door."""

from typing import ClassVar

from pydantic import Field, field_validator

from connectors.chats import Secret
from connectors.conversing import TalkSettings
from connectors.pbx import PbxSettings

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


class TwilioSettings(TalkSettings, PbxSettings):
    """A source of type `twilio`."""

    SENDS_WITH: ClassVar = ("account_sid", "auth_token")
    signed_with = ("auth_token", "shared_keys")

    account_sid: str = Field("", description="Account SID, AC...")
    auth_token: Secret | None = Field(None, description="Auth Token of the account, which signs every request")
    shared_keys: dict[str, Secret] = Field(
        default_factory=dict, description="secrets of webhook shared keys by their id, where they sign instead"
    )
    caller_id: str = Field("", description="our number at Twilio for calls made from the hub, e.g. +12025550100")
    employee_address: str = Field(
        "client:{extension}",
        description="how a colleague without a phone number is rung, e.g. sip:{extension}@example.sip.twilio.com",
    )
    api_url: str = Field("https://api.twilio.com", description="where the API lives")
    webhook_url: str = Field(
        "",
        description="address as typed at Twilio, if not the hub's public one: the signature covers it; answers name it "
        "for reports",
    )
    voice_twiml: str = Field(
        EMPTY_TWIML, description="TwiML for a call whose Voice URL is this source; as shipped it hangs up"
    )
    completed_is_answered: bool = Field(
        False, description="without a Dial action that tells who talked: believe that a completed incoming call did"
    )

    @field_validator("employee_address")
    @classmethod
    def _names_the_extension(cls, address: str) -> str:
        if "{extension}" not in address:
            raise ValueError("expected {extension} in it")
        return address

    @field_validator("voice_twiml")
    @classmethod
    def _is_twiml(cls, text: str) -> str:
        if "<Response" not in text:
            raise ValueError("expected TwiML: <Response>...</Response>")
        return text
