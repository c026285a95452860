"""What config.yaml may say about an Asterisk or FreePBX."""

import re

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.callfields import CallSettings


class AmiSettings(BaseModel):
    """The manager interface, if the hub is to listen to it. manager.conf: `read = call,cdr,dialplan,agent`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(description="address of the PBX; 5038 must not be reachable from outside")
    port: int = Field(5038, ge=1, le=65535)
    username: str = Field(min_length=1, description="section of manager.conf")
    secret: SecretStr = Field(min_length=1, description="its secret")
    tls: bool = Field(False, description="the port speaks TLS (5039)")
    originate_channel: str = Field(
        "PJSIP/{extension}", description="how a colleague's phone is rung for a call from the hub, e.g. SIP/{extension}"
    )
    originate_context: str = Field("from-internal", description="context in which the client's number is dialled then")
    originate_prefix: str = Field(
        "", coerce_numbers_to_str=True, description="put before the client's number (digits, no plus), e.g. 9"
    )
    originate_caller_id: str = Field(
        "", coerce_numbers_to_str=True, description="caller id of such calls; empty: the extension"
    )

    @field_validator("originate_channel")
    @classmethod
    def _names_the_extension(cls, channel: str) -> str:
        if "{extension}" not in channel:
            raise ValueError("expected {extension} in it")
        return channel

    @field_validator("originate_context", "originate_prefix", "originate_caller_id", "originate_channel")
    @classmethod
    def _is_no_other_command(cls, text: str) -> str:
        if "\r" in text or "\n" in text:
            raise ValueError("a line break would be another command to the PBX")
        return text

    @field_validator("username", "secret")
    @classmethod
    def _is_one_line(cls, value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if "\r" in text or "\n" in text:
            raise ValueError("a line break would be another command to the PBX")
        return value


class AsteriskSettings(CallSettings):
    """A source of type `asterisk`: the hangup handler's requests, the AMI stream, or both."""

    ami: AmiSettings | None = Field(
        None, description="manager interface (AMI): its events are listened to, and calls are ordered over it"
    )
    extension_pattern: str = Field(r"\d{2,5}", description="regular expression of what a colleague's channel is called")
    trunks: tuple[str, ...] = Field((), description="names of trunks that look like extensions, e.g. 88")
    recordings_url: str = Field("", description="web address of the recordings' folder, put in front of file names")

    @field_validator("extension_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError("not a regular expression") from error
        return pattern
