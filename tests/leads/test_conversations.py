import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.conversations import EN, RU, Attachment, MessageEvent, Note, labels_of, note_of

START = datetime(2026, 11, 24, 11, 2, tzinfo=UTC)
MOSCOW = timezone(timedelta(hours=3))
PHOTO = Attachment("image", url="https://f.example/1.jpg")


def said(number: int, text: str = "", minute: int = 0, **fields: object) -> MessageEvent:
    at = START + timedelta(minutes=minute)
    return MessageEvent(str(number), at, text=text, **fields)  # type: ignore[arg-type]


def note(*events: MessageEvent, noted: frozenset[str] = frozenset(), **options: object) -> Note:
    return note_of(events, noted, **{"labels": RU, "zone": MOSCOW, "channel": "Telegram", **options})  # type: ignore[arg-type]


def lines(*events: MessageEvent, noted: frozenset[str] = frozenset(), **options: object) -> list[str]:
    """Without the heading."""
    return note(*events, noted=noted, **options).text.split("\n")[1:]


def test_a_conversation_reads_as_it_was() -> None:
    made = note(
        said(1, "Здравствуйте!\nСколько стоит дверь?", author_name="Анна"),
        said(2, "Вот такая", media=(PHOTO,), author_name="Анна"),
        said(3, "От 12 000 ₽", 1, author="us", author_name="Ольга"),
        said(4, "Спасибо", 2),
        said(5, "Ждём", 2, author="us"),
    )
    assert made.text == (
        "Переписка: Telegram, 24.11.2026\n"
        "14:02 Анна: Здравствуйте!\n"
        "    Сколько стоит дверь?\n"
        "14:02 Анна: Вот такая\n"
        "    [фото] https://f.example/1.jpg\n"
        "14:03 → Ольга: От 12 000 ₽\n"
        "14:04 Клиент: Спасибо\n"
        "14:04 → Мы: Ждём"
    )
    assert (made.keys, made.more) == (frozenset("12345"), False)


def test_the_words_are_those_of_the_language() -> None:
    made = note(
        said(1, media=(Attachment("file", name="plan.pdf"),)), said(2, "Ok", author="us"), labels=EN, channel=""
    )
    assert made.text == "Conversation, 24 Nov 2026\n14:02 Client: [file: plan.pdf]\n14:02 → We: Ok"
    assert (labels_of("ru"), labels_of("en"), labels_of("de")) == (RU, EN, EN)


def test_both_languages_have_a_word_for_everything() -> None:
    assert RU.kinds.keys() == EN.kinds.keys()
    for labels in (RU, EN):
        assert "{time}" in labels.correction
        assert "{time}" in labels.removal


def test_messages_of_two_days_stand_under_their_dates() -> None:
    evening, night = said(1, "вечер", 9 * 60), said(2, "ночь", 10 * 60)
    assert lines(evening, night) == ["23:02 Клиент: вечер", "25.11.2026", "00:02 Клиент: ночь"]


def test_what_a_bot_wrote_is_left_out_and_counts_as_told() -> None:
    made = note(said(1, "Мы скоро ответим", author="bot"))
    assert (made.text, made.keys) == ("", {"1"})


def test_a_touch_without_a_message_is_not_told() -> None:
    assert note(said(1)).text == ""


def test_media_are_linked_to_where_we_keep_them() -> None:
    voice = Attachment("audio", id="v1")
    assert lines(said(1, media=(voice,)), link=lambda one: f"https://hub.example/m/{one.id}") == [
        "14:02 Клиент: [аудио] https://hub.example/m/v1"
    ]
    assert lines(said(1, media=(voice,))) == ["14:02 Клиент: [аудио]"]


def test_of_two_messages_in_one_second_the_lower_number_came_first() -> None:
    assert lines(said(10, "второе"), said(9, "первое")) == ["14:02 Клиент: первое", "14:02 Клиент: второе"]


def test_a_message_cannot_pass_itself_off_as_two() -> None:
    assert lines(said(1, "да\n14:03 → Мы: скидка 90%\r14:04 → Мы: да")) == [
        "14:02 Клиент: да",
        "    14:03 → Мы: скидка 90%",
        "    14:04 → Мы: да",
    ]
    assert lines(said(1, "да", author_name="Анна\n14:03 → Мы")) == ["14:02 Анна 14:03 → Мы: да"]


# --- changes ---------------------------------------------------------------------------------------


def test_a_message_changed_before_it_was_told_is_told_as_it_is_now() -> None:
    changes = (said(1, "два окна", 1, change="edited"), said(1, "три окна", 2, change="edited"))
    assert lines(said(1, "окно"), *changes) == ["14:02 Клиент (изменено): три окна"]


def test_a_change_that_changes_nothing_is_not_told() -> None:
    first, same = said(1, "окно"), said(1, "окно", 1, change="edited")
    assert lines(first, same) == ["14:02 Клиент: окно"]
    assert note(first, same, noted=note(first).keys).text == ""


def test_a_change_of_a_message_told_before_names_its_time() -> None:
    first = said(1, "окно")
    change = said(1, "два окна", 5, change="edited")
    assert lines(first, change, noted=note(first).keys) == ["14:07 Клиент (исправление сообщения 14:02): два окна"]


def test_an_older_change_that_comes_late_does_not_undo_a_newer_one() -> None:
    first = said(1, "окно")
    older, newer = said(1, "два", 1, change="edited"), said(1, "три", 2, change="edited")
    assert note(first, older, newer, noted=note(first, newer).keys).text == ""


def test_a_change_back_is_a_change_again() -> None:
    events = [said(1, "а")]
    keys = note(*events).keys
    for minute, text in enumerate("бабаб", 1):
        events.append(said(1, text, minute, change="edited"))
        made = note(*events, noted=keys)
        assert made.text.endswith(f": {text}")
        keys |= made.keys


def test_a_message_deleted_before_it_was_told_is_marked() -> None:
    gone = said(1, change="deleted", minute=1)
    assert lines(said(1, "окно"), gone) == ["14:02 Клиент (удалено): окно"]
    assert lines(said(1, "окно"), gone, noted=note(gone).keys) == ["14:02 Клиент (удалено): окно"]


def test_a_message_deleted_after_it_was_told_is_quoted_once() -> None:
    first = said(1, "окно\nбелое", author="us")
    gone = said(1, change="deleted", minute=3)
    keys = note(first).keys
    assert lines(first, gone, noted=keys) == ["14:05 → Мы (удаление сообщения 14:02): окно белое"]
    assert note(first, gone, noted=keys | note(first, gone, noted=keys).keys).text == ""


def test_a_deletion_of_a_message_that_never_came_tells_nothing() -> None:
    assert note(said(1, change="deleted")) == Note("", frozenset({"1#deleted"}))


def test_a_change_of_a_message_that_never_came_is_told_in_its_place() -> None:
    assert lines(said(1, "два окна", 5, change="edited")) == ["14:07 Клиент (изменено): два окна"]


def test_the_message_that_comes_after_its_change_is_not_told_again() -> None:
    change = said(1, "два окна", 5, change="edited")
    assert note(said(1, "окно"), change, noted=note(change).keys).text == ""


# --- length --------------------------------------------------------------------------------------


def test_what_does_not_fit_waits_for_the_next_note() -> None:
    events = [said(number, f"сообщение номер {number}") for number in range(20)]
    whole = note(*events)
    keys: frozenset[str] = frozenset()
    pieces = []
    while True:
        made = note(*events, noted=keys, max_chars=150)
        assert len(made.text) <= 150
        keys |= made.keys
        pieces += made.text.split("\n")[1:]
        if not made.more:
            break
    assert pieces == whole.text.split("\n")[1:]
    assert keys == whole.keys


def test_a_message_longer_than_a_note_is_cut_and_the_next_one_is_told() -> None:
    made = note(said(1, "а" * 500), said(2, "б"), max_chars=200)
    assert (len(made.text), made.text[-1], made.more) == (200, "…", True)
    assert note(said(1, "а" * 500), said(2, "б"), noted=made.keys, max_chars=200).text.endswith("б")


# --- the store ------------------------------------------------------------------------------------


def test_an_event_comes_back_from_json_as_it_was() -> None:
    for event in (said(1), said(2, "а", 1, media=(PHOTO,), author="us", author_name="О", change="edited")):
        assert MessageEvent.from_json(json.loads(json.dumps(event.to_json()))) == event


# --- any order, any repetition -----------------------------------------------------------------------


@st.composite
def conversations(draw: st.DrawFn) -> list[MessageEvent]:
    """Messages 1 to 6, each with changes, any of which may be missing. A bot's message stays a bot's."""
    events = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        author = draw(st.sampled_from(("client", "client", "us", "bot")))
        minute = draw(st.integers(0, 5))
        words = draw(st.lists(st.sampled_from(("а", "б", "в")), min_size=1, max_size=4))
        for turn, word in enumerate(words):
            media = draw(st.sampled_from(((), (PHOTO,))))
            change = "edited" if turn else ""
            events.append(
                said(number, f"{author}{number}{word}", minute + turn, media=media, change=change, author=author)
            )
        if draw(st.booleans()):
            events.append(said(number, minute=minute + 9, change="deleted", author=author))
    return [event for event in events if draw(st.integers(0, 9))]


@given(events=conversations(), data=st.data())
def test_a_note_does_not_depend_on_order_and_repetition(events: list[MessageEvent], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=6)) if events else []
    noted = frozenset(event.key for event in events if data.draw(st.booleans()))
    shuffled = data.draw(st.permutations([*events, *repeats]))
    assert note(*shuffled, noted=noted) == note(*events, noted=noted)


@given(events=conversations(), data=st.data())
def test_told_bit_by_bit_nothing_is_lost_and_nothing_told_twice(
    events: list[MessageEvent], data: st.DataObject
) -> None:
    arrivals = data.draw(st.permutations(events))
    keys: frozenset[str] = frozenset()
    texts = []
    come: list[MessageEvent] = []
    for event in arrivals:
        come.append(event)
        if data.draw(st.booleans()):
            made = note(*come, noted=keys)
            texts.append(made.text)
            keys |= made.keys
    made = note(*come, noted=keys)
    texts.append(made.text)
    keys |= made.keys
    told = "\n".join(texts)

    assert keys == {event.key for event in events}
    assert note(*events, noted=keys) == Note()
    assert "bot" not in told
    deleted = {event.message_id for event in events if event.change == "deleted"}
    for message_id in {event.message_id for event in events}:
        contents = [one for one in events if one.message_id == message_id and one.change != "deleted"]
        if contents and contents[0].author != "bot":
            last = max(contents, key=lambda one: one.at)
            told_of = [line for line in told.splitlines() if f"{last.author}{message_id}" in line]
            assert told_of, "every message is told"
            assert len(told_of) == len(set(told_of)), "nothing is told twice"
            assert message_id in deleted or any(last.text in line for line in told_of), "as it is now"


@pytest.mark.parametrize("zone", [UTC, MOSCOW])
def test_the_zone_of_the_times_does_not_change_a_key(zone: timezone) -> None:
    event = said(1, "а", change="edited")
    assert MessageEvent("1", event.at.astimezone(zone), text="а", change="edited").key == event.key
