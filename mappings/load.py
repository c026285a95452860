"""Mapping files by name: the integrator's folder first, then the shipped presets; `extends` lays one over another."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mappings.nodes import Leaf, Node, Place, Table, merge, read
from mappings.problems import MappingError, Problem, allowed, nearest
from mappings.schema import LeadMapping, Reader
from mappings.texts import Locale

PRESETS: Final = Path(__file__).parent / "presets"
SYNC: Final = "sync/"
"""The folder, here and there, of mappings for records kept equal; those for enquiries lie beside it."""
SHOWN_PRESETS: Final = "presets/"
"""What the shipped folder is called in messages."""


def mapping_names(folder: Path | None = None, under: str = "") -> list[str]:
    """Names that `load_mapping` knows: those of the folder and of the presets. `under` is "" or SYNC."""
    folders = [PRESETS / under] if folder is None else [folder / under, PRESETS / under]
    return sorted({file.stem for one in folders if one.is_dir() for file in one.glob("*.yaml")})


def load_mapping(name: str, folder: Path | None = None, *, locale: Locale = "en") -> LeadMapping:
    """The mapping `folder/name.yaml`, else the preset `name`, compiled; its texts in `locale`.

    Raises MappingError with all problems of all files that it is laid over.
    """
    found = find_file(name, folder)
    if found is None:
        hint = allowed(name, mapping_names(folder), "there are")
        raise MappingError([Place(name, 0, 0, "").problem("there is no such mapping", hint)])
    path, shown = found
    return parse_mapping(path.read_bytes(), shown, name=name, folder=folder, locale=locale)


def parse_mapping(
    raw: bytes, file: str, *, name: str = "", folder: Path | None = None, locale: Locale = "en"
) -> LeadMapping:
    """A mapping from the text of a file; `file` is how messages call it."""
    reader = Reader()
    tree = whole_tree(raw, file, folder, locale, problems=reader.problems)
    mapping = reader.mapping(name or Path(file).stem, tree)
    if reader.problems:
        raise MappingError(sorted(reader.problems, key=lambda problem: (problem.file != file, problem.line)))
    return mapping


def whole_tree(
    raw: bytes,
    file: str,
    folder: Path | None = None,
    locale: Locale = "en",
    under: str = "",
    *,
    problems: list[Problem],
) -> Table:
    """A file with everything that it extends; what is wrong with that goes into `problems`.

    Where a file extends what is not there, it is laid over what was probably meant, so that its other mistakes are
    found too. Raises MappingError when nothing can be made of it.
    """
    return _Layers(folder, locale, under, problems).over(read(raw, file), (file,))


@dataclass(frozen=True, slots=True)
class _Layers:
    folder: Path | None
    locale: Locale
    under: str
    problems: list[Problem]

    @property
    def main(self) -> str:
        """What a single text means where a section may stand too: a value, or the field on the right."""
        return "right" if self.under == SYNC else "value"

    def over(self, tree: Table, seen: tuple[str, ...]) -> Table:
        """`tree` on top of what it extends, and that on top of what that extends."""
        extends = tree.items.get("extends")
        if extends is None:
            return _table(merge(Table(tree.place, {}, {}), tree, self.main))
        path, shown = self._extended(extends, seen)
        base = self.over(read(path.read_bytes(), shown), (*seen, shown))
        rest = {key: node for key, node in tree.items.items() if key != "extends"}
        return _table(merge(base, Table(tree.place, rest, tree.keys), self.main, self.problems))

    def _extended(self, extends: Node, seen: tuple[str, ...]) -> tuple[Path, str]:
        """The file beneath, or the one that was meant. Raises MappingError when there is none."""
        if not (isinstance(extends, Leaf) and extends.text):
            return self._instead("", seen, extends.place.problem("is the name of one mapping"))
        wanted = extends.text.replace("{locale}", self.locale)
        if found := find_file(wanted, self.folder, self.under, but_not=seen):
            return found
        if find_file(wanted, self.folder, self.under) is not None:
            way = f"the way: {' > '.join(seen)}"
            raise MappingError([extends.place.problem(f'"{wanted}" extends itself', way)])
        names, turned = mapping_names(self.folder, self.under), self._turned(wanted)
        hint = allowed(wanted, names, "there are")
        if turned:
            left = wanted.split("-")[1]
            hint = f'there is "{turned}": extend that one; in such a file left is {left}, whatever left of the sync is'
        problem = extends.place.problem(f'there is no mapping "{wanted}"', hint)
        return self._instead(turned or nearest(wanted, names), seen, problem)

    def _instead(self, meant: str, seen: tuple[str, ...], problem: Problem) -> tuple[Path, str]:
        """`meant`, else the shipped mapping of the file's own name."""
        for name in (meant, Path(seen[0]).stem):
            if found := find_file(name, self.folder, self.under, but_not=seen):
                self.problems.append(problem)
                return found
        raise MappingError([problem])

    def _turned(self, wanted: str) -> str:
        """The one for the two CRMs the other way round, if there is one; else ""."""
        parts = wanted.split("-")
        turned = "-".join((parts[1], parts[0], *parts[2:])) if self.under == SYNC and len(parts) > 2 else ""
        return turned if find_file(turned, self.folder, self.under) is not None else ""


def find_file(
    name: str, folder: Path | None, under: str = "", but_not: tuple[str, ...] = ()
) -> tuple[Path, str] | None:
    """(file, its name in messages). A mapping may extend the preset of its own name."""
    if not name or name.startswith(("/", ".")) or ".." in name or "\0" in name:
        return None
    places = [] if folder is None else [(folder, f"{folder.name}/")]
    for where, shown in (*places, (PRESETS, SHOWN_PRESETS)):
        path = where / under / f"{name}.yaml"
        if f"{shown}{under}{name}.yaml" not in but_not and path.is_file():
            return path, f"{shown}{under}{name}.yaml"
    return None


def _table(node: Node) -> Table:
    assert isinstance(node, Table)
    return node
