"""multipart/form-data, also broken, cut short or without its header -> parts."""

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


@dataclass(slots=True)
class Part:
    """One part; `filename` is None unless it is a file. Texts are still bytes: their encoding is another question."""

    name: bytes = b""
    filename: bytes | None = None
    charset: str = ""
    data: bytes = b""


@dataclass(slots=True)
class _Collector:
    """Callbacks of the parser. The part under way counts too: a body cut short keeps what came."""

    max_parts: int
    parts: list[Part] = field(default_factory=list)
    _header: bytes = b""
    _value: bytes = b""
    _chunks: list[bytes] = field(default_factory=list)

    def on_part_begin(self) -> None:
        self._close()
        self.parts.append(Part())

    def on_header_begin(self) -> None:
        self._header = self._value = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        header, part = self._header.lower(), self.parts[-1]
        _, options = parse_options_header(self._value.decode("latin-1"))
        if header == b"content-disposition":
            part.name = options.get(b"name", b"")
            part.filename = options.get(b"filename")
        elif header == b"content-type":
            part.charset = options.get(b"charset", b"").decode("latin-1").lower()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._chunks.append(data[start:end])

    def finish(self) -> list[Part]:
        self._close()
        return [part for part in self.parts if part.name][: self.max_parts]

    def _close(self) -> None:
        if self.parts:
            self.parts[-1].data = b"".join(self._chunks)
        self._chunks = []


def read_multipart(data: bytes, content_type: str, max_parts: int) -> list[Part]:
    """The named parts, at most `max_parts`; an empty list when it is no multipart at all."""
    boundary = boundary_of(data, content_type)
    if not boundary:
        return []
    data = data[data.find(b"--" + boundary) :]
    if b"\r\n" not in data:
        data = data.replace(b"\n", b"\r\n")
    collector = _Collector(max_parts)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.on_part_begin,
                "on_header_begin": collector.on_header_begin,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_part_data": collector.on_part_data,
            },
        )
        parser.write(data)
        parser.finalize()
    except FormParserError:
        pass  # what was read before the fault still counts
    return collector.finish()


def boundary_of(data: bytes, content_type: str) -> bytes:
    """What parts the body, or nothing when it is no multipart."""
    _, options = parse_options_header(content_type.encode("latin-1", "replace").decode("latin-1"))
    boundary = options.get(b"boundary", b"")
    if not boundary or b"--" + boundary not in data:  # none given, or not the one used: the first line tells
        _, _, rest = data.partition(b"--")
        boundary = rest.split(b"\n", 1)[0].strip()
    return boundary if len(boundary) <= 200 else b""
