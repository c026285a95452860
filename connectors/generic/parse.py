"""JSON or a form of any sender -> leads, by the owner's map of paths and by what the fields are called."""

from collections.abc import Mapping
from dataclasses import replace

from connectors.bodies import MAX_FIELDS, Body, Pairs, flatten, read_body
from connectors.doors import Inbound, Parsed
from connectors.generic.quiz import taken_out
from connectors.generic.settings import GenericSettings
from connectors.webform.fields import meaning_of
from connectors.webform.parse import parse as parse_form
from connectors.webform.parse import parse_body
from leads.normalize import labelled

_ANSWERS = "questions and answers"
_ALIASES = {"utm.name": "utm_campaign", "href": "page_url"}
_WRAPPERS = ("extra.", "cookies.", "extra.cookies.")


def parse(settings: GenericSettings, inbound: Inbound, region: str) -> Parsed:
    """Raises UnreadableBody. An empty request is a test of the address."""
    if not inbound.body.strip():
        return parse_form(settings.model_copy(update={"fields": {}}), inbound, region) if inbound.query else Parsed()
    headers = inbound.headers
    body = read_body(inbound.body, headers.get("content-type", ""), headers.get("content-encoding", ""))
    mapped = {path.casefold() for path in settings.fields.values()}
    if isinstance(body.tree, dict):
        body = _without_lists(body, mapped)
    body = replace(body, pairs=[(_plain(path, mapped), value) for path, value in body.pairs])
    body, own = _mapped(body, settings.fields)
    return parse_body(settings.model_copy(update={"fields": {_ANSWERS: "comment", **own}}), inbound, region, body)


def _without_lists(body: Body, mapped: set[str]) -> Body:
    """Questions and answers as one text, unless the map reaches into their list."""
    tree, lines, fields = taken_out(body.tree)
    if not lines and not fields:
        return body
    reached = [(path, value) for path, value in body.pairs if path.casefold() in mapped]
    pairs = flatten(tree)
    present = {path for path, _ in pairs}
    pairs += [pair for pair in reached if pair[0] not in present] + fields
    if lines:
        pairs.append((_ANSWERS, "\n".join(lines)))
    return replace(body, pairs=pairs[:MAX_FIELDS], tree=tree)


def _plain(path: str, mapped: set[str]) -> str:
    """Quiz builders wrap what they know of the visit: `extra.utm.source`, `extra.cookies._ga`, `extra.href`."""
    if path.casefold() in mapped:
        return path
    inner = path
    for wrapper in sorted(_WRAPPERS, key=len, reverse=True):
        inner = inner.removeprefix(wrapper)
    if inner in _ALIASES:
        return _ALIASES[inner]
    return inner if inner != path and meaning_of(inner).meaning != "extra" else path


def _mapped(body: Body, fields: Mapping[str, str]) -> tuple[Body, dict[str, str]]:
    """Path -> ours. A path to a whole branch gathers what hangs on it; `phones[0]` of a plain list means the list."""
    own: dict[str, str] = {}
    pairs = body.pairs
    for ours, path in fields.items():
        wanted = path.casefold()
        present = {name.casefold() for name, _ in pairs}
        parent, _, index = wanted.rpartition(".")
        branch = f"{wanted}."
        if wanted not in present and index.isdigit() and parent in present:
            wanted = parent
        elif wanted not in present and any(name.startswith(branch) for name in present):
            pairs = _gathered(pairs, wanted, branch)
        own[wanted] = ours
    return replace(body, pairs=pairs), own


def _gathered(pairs: Pairs, path: str, branch: str) -> Pairs:
    lines = [_line(name[len(branch) :], value) for name, value in pairs if name.casefold().startswith(branch) and value]
    rest = [(name, value) for name, value in pairs if not name.casefold().startswith(branch)]
    return [*rest, (path, "\n".join(lines))]


def _line(name: str, value: str) -> str:
    return value if name.rpartition(".")[2].isdigit() else labelled(name, value)
