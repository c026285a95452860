"""The dictionary of a move as a file: written once for a person to edit, never overwritten."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from jobs.migrate.proposing import JOINED, FieldRow, Proposal
from mappings.texts import Locale

Say = Callable[[str, str], str]
SHOWN: Final = 40
"""So many fields without a counterpart are named."""


def dictionary_text(proposal: Proposal, types: tuple[str, str], names: tuple[str, str], locale: Locale) -> str:
    """YAML for `mappings.records`, with what could not be proposed as lines to fill in. `names`: of connections."""
    return "\n".join(_lines(proposal, types, names, _said(locale))) + "\n"


def write_new(path: Path, text: str) -> bool:
    """False when the file is there: it belongs to a person. Whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        os.replace(temporary, path)
        return True
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _said(locale: Locale) -> Say:
    return lambda english, russian: russian if locale == "ru" else english


def _lines(proposal: Proposal, types: tuple[str, str], names: tuple[str, str], say: Say) -> Iterator[str]:
    old, new = names
    kinds = {"company": ("companies", "компании"), "contact": ("contacts", "контакты"), "deal": ("deals", "сделки")}
    yield say(
        f"# Moving {kinds[proposal.object][0]} from {old} to {new}: which field goes where.",
        f"# Переезд из {old} в {new}, {kinds[proposal.object][1]}: какое поле куда.",
    )
    yield say(
        "# Made by `leadhub migrate`, yours to edit; it is never overwritten. See docs/mappings.md.",
        "# Сделал `leadhub migrate`, дальше правите вы: файл не перезаписывается. См. docs/mappings.md.",
    )
    yield ""
    yield f"object: {proposal.object}"
    yield f"left: {types[0]}"
    yield f"right: {types[1]}"
    yield "direction: left_to_right"
    yield "conflict: right      " + say(
        f"# what somebody has written in {new} stays", f"# что уже записано в {new}, остаётся"
    )
    if proposal.match:
        told = say("# how records that both have are recognised", "# по чему узнаются записи, которые есть в обеих")
        yield f"match: [{', '.join(proposal.match)}]      {told}"
    yield ""
    yield "fields:"
    for row in proposal.fields:
        yield from _field(row, proposal, say)
    if not proposal.made_at_kept:
        yield ""
        yield say(
            f"  # {new} sets the time of creation itself. To keep the old one, make a date field there:",
            f"  # Время создания {new} ставит сама. Чтобы сохранить прежнее, заведите там поле-дату:",
        )
        yield '  # created_at: {right: "' + say("Created earlier", "Создано раньше") + '"}'
    if proposal.without:
        yield ""
        yield say(
            f"  # {new} has no field for these, they stay behind:", f"  # Этим в {new} нет пары, они не переедут:"
        )
        for name, kind in proposal.without[:SHOWN]:
            yield f"  # {_quoted(name)}: ...      # {kind}"
        if len(proposal.without) > SHOWN:
            yield say(f"  # and {len(proposal.without) - SHOWN} more", f"  # и ещё {len(proposal.without) - SHOWN}")


def _field(row: FieldRow, proposal: Proposal, say: Say) -> Iterator[str]:
    parts = [] if row.left == row.name else [f"left: {_quoted(row.left)}"]
    parts += [] if row.right == row.name else [f"right: {_quoted(row.right)}"]
    parts += ["conflict: append"] if row.name in JOINED else []
    parts += ["on_missing: skip"] if row.type == "user" else []
    if row.type == "stage":
        yield from _stages(proposal, say)
    elif row.name == "responsible" and (proposal.users or proposal.users_without):
        yield from _users(proposal, say)
    else:
        head = f"  {_key(row.name)}: "
        yield head + ("{" + ", ".join(parts) + "}" if parts else _key(row.name))
        if row.unknown:
            many = ", ".join(_quoted(one) for one in row.unknown[:SHOWN])
            yield say(
                f"    # choices that the new field lacks: {many}", f"    # вариантов, которых нет у нового поля: {many}"
            )


def _stages(proposal: Proposal, say: Say) -> Iterator[str]:
    yield f"  stage:{say('      # the pipeline goes with it', '      # вместе с воронкой')}"
    found = [row for row in proposal.stages if row.right]
    lost = [row for row in proposal.stages if not row.right]
    if found:
        yield "    map:"
    for row in found:
        why = {
            "meaning": say("      # another name, the same meaning", "      # имя другое, смысл тот же"),
            "place": say("      # by its place in the pipeline: check it", "      # по месту в воронке: проверьте"),
        }.get(row.how, "")
        yield f"      {_quoted(row.left)}: {_quoted(row.right)}{why}"
    for row in lost:
        yield f'      # {_quoted(row.left)}: ""' + say("      # nothing like it", "      # ничего похожего")
    if not proposal.stages:
        yield "    right: stage"


def _users(proposal: Proposal, say: Say) -> Iterator[str]:
    yield f"  responsible:{say('      # by e-mail', '      # по почте')}"
    yield "    on_missing: skip"
    if proposal.users:
        yield "    map:"
    for there, here in proposal.users:
        same = say("the same name, another e-mail: check it", "имя то же, почта другая: проверьте")
        yield f"      {_quoted(there)}: {_quoted(here)}      # {same}"
    if proposal.users_without:
        asked = say("not found, write whose records go to whom", "не нашлись, впишите, кому передать их записи")
        yield f"    # {asked}:"
        if not proposal.users:
            yield "    # map:"
    for email in proposal.users_without:
        yield f'    #   {_quoted(email)}: ""'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(text: str) -> str:
    return text if text.isascii() and text.isidentifier() else _quoted(text)
