"""Reports of SMS.ru: checked and answered, nothing is made of them. The proof stands among the fields."""

import hashlib

from connectors.doors import Inbound, Parsed, Refused, same_secret
from connectors.rawform import raw_fields
from connectors.smsru.settings import SmsRuSettings


def parse(settings: SmsRuSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises Unreadable, and Refused unless `hash` is the SHA-256 of api_id and all `data[n]` as they were sent."""
    fields = raw_fields(inbound)
    if not fields or settings.api_id is None:
        return Parsed()
    data = [(name, value) for name, value in fields if name.startswith(b"data[")]
    in_order = all(name == b"data[%d]" % place for place, (name, _) in enumerate(data))
    joined = b"".join(value for _, value in data)
    expected = hashlib.sha256(settings.api_id.get_secret_value().encode() + joined).hexdigest()
    given = next((value for name, value in fields if name == b"hash"), b"")
    if not same_secret(given.decode("latin-1"), expected) or not in_order:
        raise Refused("the hash is wrong or missing")
    return Parsed()
