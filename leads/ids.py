"""Our ids: UUIDv7, so that they sort by the time they were made."""

import uuid

from leads.clock import Clock


def new_id(clock: Clock) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 36 characters of lower case text."""
    millis = int(clock.now().timestamp() * 1000) & 0xFFFF_FFFF_FFFF
    value = millis << 80 | 0x7 << 76 | clock.random_bits(12) << 64 | 0b10 << 62 | clock.random_bits(62)
    return str(uuid.UUID(int=value))
