"""What config.yaml may say about an e-mail box."""

from pydantic import Field, SecretStr, field_validator

from connectors.doors import DoorSettings, Seconds


class ImapSettings(DoorSettings):
    """A source of type `imap`."""

    host: str = Field(min_length=1, description="IMAP server, e.g. imap.yandex.ru")
    port: int = Field(993, ge=1, le=65535, description="port of IMAP over TLS")
    tls: bool = Field(True, description="false only for a server on the same machine, mostly with port 143")
    user: str = Field(min_length=1, description="login, as a rule the address of the box")
    password: SecretStr = Field(description="password of the box, or one for applications")
    folder: str = Field("INBOX", min_length=1, description="folder to read")
    poll: Seconds = Field(20.0, ge=1, description="how often the box is asked, where the server does not tell (IDLE)")
    form_senders: tuple[str, ...] = Field(
        (), description="addresses or domains whose letters are filled-in forms, e.g. noreply@example.com, tilda.ws"
    )
    own: tuple[str, ...] = Field(
        (), description="addresses or domains of colleagues: what they forward is the client's, what they write is not"
    )

    @field_validator("form_senders", "own")
    @classmethod
    def _are_senders(cls, senders: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(sender.strip().lower().lstrip("@") for sender in senders)
        for sender in plain:
            if "." not in sender.rpartition("@")[2] or any(char.isspace() for char in sender):
                raise ValueError("expected addresses such as noreply@example.com or domains such as example.com")
        return plain
