"""Lists of questions and answers, and of named values, inside JSON -> readable lines and plain fields."""

from typing import Any

from connectors.bodies import MAX_DEPTH, Pairs
from connectors.formfields import join_texts, text_of
from connectors.webform.fields import meaning_of
from leads.normalize import labelled

_QUESTION = ("q", "question", "question_text", "questionText", "вопрос")
_ANSWER = ("a", "answer", "answers", "answer_text", "answerText", "ответ", "value", "values", "text")
_LABEL = ("label", "title", "name", "key")
_VALUE = ("value", "values")
_CONTACTS = ("phone", "email", "contact", "name", "first_name", "last_name")


def taken_out(tree: Any, depth: int = 0) -> tuple[Any, list[str], Pairs]:
    """(the tree without such lists, lines `question: answer` in order, named fields).

    A question that asks for a name, a phone or an e-mail is a line and a field as well.
    """
    if depth >= MAX_DEPTH or not isinstance(tree, dict | list):
        return tree, [], []
    if isinstance(tree, list):
        asked = [_pair(item, _QUESTION, _ANSWER) for item in tree]
        if tree and all(asked):
            told = [(question, answer) for question, answer in filter(None, asked) if answer]
            fields = [(question, answer) for question, answer in told if meaning_of(question).meaning in _CONTACTS]
            return None, [labelled(question, answer) for question, answer in told], fields
        named = [_pair(item, _LABEL, _VALUE) for item in tree]
        if tree and all(named):
            return None, [], [(label, value) for label, value in filter(None, named) if value]
    kept: Any = {} if isinstance(tree, dict) else []
    lines: list[str] = []
    fields = []
    for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
        rest, inner_lines, inner_fields = taken_out(inner, depth + 1)
        lines += inner_lines
        fields += inner_fields
        if isinstance(kept, dict):
            kept[key] = rest
        else:
            kept.append(rest)
    return kept, lines, fields


def _pair(item: Any, names: tuple[str, ...], values: tuple[str, ...]) -> tuple[str, str] | None:
    """The named text and the value of one object; None if it has not both."""
    if not isinstance(item, dict):
        return None
    name = next((text_of(item[key]) for key in names if text_of(item.get(key))), "")
    key = next((key for key in values if key in item), "")
    return (" ".join(name.split()), _text(item[key])) if name and key else None


def _text(value: Any, depth: int = 0) -> str:
    """A scalar, a list of them, or objects by what a reader needs of them: the label or the link."""
    if isinstance(value, list) and depth < MAX_DEPTH:
        return ", ".join(filter(None, (_text(item, depth + 1) for item in value)))
    if isinstance(value, dict):
        said = next((value[key] for key in (*_LABEL, "text", "url", *_VALUE) if text_of(value.get(key))), None)
        return text_of(said) or join_texts(list(value.values()))
    return text_of(value)
