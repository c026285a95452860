"""XML from strangers -> a small tree, without entities, document types or anything fetched."""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from connectors.doors import Unreadable
from leads.normalize import clean_text

MAX_BYTES = 256 * 1024  # an event is about 1 KB
MAX_DEPTH = 32
MAX_ELEMENTS = 2_000


@dataclass(slots=True)
class Element:
    """`name` and the keys of `attributes` are without their namespace prefix."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def text(self, *path: str) -> str:
        """The text of the first element at `path`, or "" if there is none."""
        found = self.find(*path)
        return clean_text("".join(found.pieces)) if found is not None else ""

    def find(self, *path: str) -> "Element | None":
        """The first element at `path`: of each step the first child of that name."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here is not None else None
        return here


def read_xml(data: bytes) -> Element:
    """The root element. Raises Unreadable for what is not well-formed, too large, or declares a document type."""
    if len(data) > MAX_BYTES:
        raise Unreadable("the XML is too large")
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: encodings that Python cannot map
        raise Unreadable("not well-formed XML") from error
    if reader.root is None:
        raise Unreadable("the XML has no element")
    return reader.root


def _refuse(*_: object) -> NoReturn:
    raise Unreadable("XML with a document type or entities is not accepted")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Reader:
    """Builds the tree while expat calls."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise Unreadable("the XML is nested too deeply or has too many elements")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._open[-1].pieces.append(text)
