"""Our ids: UUIDv7, so that they sort by the time they were made."""

from typing import Final

from leads.clock import Clock

_CHANCE_BITS: Final = 74
_BACK_MS: Final = 10_000  # a clock that was set back by more is believed


def new_id(clock: Clock) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as 36 characters of lower case text; above all that this clock has made.

    Inside one millisecond the step is drawn as well: two threads that take it at once still make two ids.
    """
    millis = int(clock.now().timestamp() * 1000)
    chance = clock.random_bits(_CHANCE_BITS)
    number, last = millis << _CHANCE_BITS | chance, clock.last_id
    if number <= last < millis + _BACK_MS << _CHANCE_BITS:
        number = last + 1 + (chance >> 12)
    clock.last_id = number
    rest = number & (1 << _CHANCE_BITS) - 1
    low = 0b10 << 62 | rest & 0x3FFF_FFFF_FFFF_FFFF
    digits = f"{number >> _CHANCE_BITS:012x}7{rest >> 62:03x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
