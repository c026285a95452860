"""Our ids: UUIDv7, so that they sort by the time they were made."""

from leads.clock import Clock


def new_id(clock: Clock) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 36 characters of lower case text."""
    millis = int(clock.now().timestamp() * 1000)
    chance = clock.random_bits(74)
    low = 0b10 << 62 | chance & 0x3FFF_FFFF_FFFF_FFFF
    digits = f"{millis:012x}7{chance >> 62:03x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
