"""The stream of Asterisk's manager interface -> blocks of `Key: value`."""

from typing import Final

Block = dict[str, str]
"""Keys in lower case; what a key was sent for several times (`ChanVariable`) is one text with line breaks."""

MAX_LINE: Final = 64 * 1024  # bytes
MAX_FIELDS: Final = 2_000  # in one block


class AmiParser:
    """Takes bytes as they come, cut anywhere, and gives each block once its empty line is there.

    The banner, and lines that are no `Key: value`, are passed over. A line or block over its limit costs its
    block, not the stream.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._block: Block = {}
        self._fields = 0
        self._spoilt = False

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that are complete with `data`."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE:
            self._rest, self._spoilt = b"", True
        blocks: list[Block] = []
        for line in lines:
            text = line.rstrip(b"\r")
            if text:
                self._line(text)
                continue
            if self._block and not self._spoilt:
                blocks.append(self._block)
            self._block, self._fields, self._spoilt = {}, 0, False
        return blocks

    def _line(self, line: bytes) -> None:
        self._fields += 1
        if self._spoilt or len(line) > MAX_LINE or self._fields > MAX_FIELDS:
            self._spoilt = True
            return
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        key = name.strip().lower()
        if not colon or not key or " " in key:
            return
        held = self._block.get(key)
        self._block[key] = value.strip() if held is None else f"{held}\n{value.strip()}"


def action(name: str, **fields: str) -> bytes:
    """One command. Raises ValueError for a value with a line break, which would be a second command."""
    pairs = [("Action", name), *fields.items()]
    if any("\r" in value or "\n" in value for _, value in pairs):
        raise ValueError("a line break in a field of a command")
    return ("".join(f"{key}: {value}\r\n" for key, value in pairs) + "\r\n").encode()
