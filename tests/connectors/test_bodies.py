import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.bodies import MAX_FIELDS, Body, UnreadableBody, decode, read_body
from connectors.body_text import readable

CYRILLIC = "name=Иван&comment=Окна"


def values(body: Body) -> dict[str, str]:
    return dict(body.pairs)


def test_json_is_read_under_any_content_type() -> None:
    data = '{"name": "Иван", "phone": "+79161234567"}'.encode()
    for content_type in (
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "multipart/form-data",
    ):
        assert values(read_body(data, content_type)) == {"name": "Иван", "phone": "+79161234567"}, content_type


def test_a_form_is_read_under_any_content_type() -> None:
    data = b"name=%D0%98%D0%B2%D0%B0%D0%BD&phone=8+916+123-45-67&empty="
    for content_type in (
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain",
        "",
        "multipart/form-data",
    ):
        body = read_body(data, content_type)
        assert values(body) == {"name": "Иван", "phone": "8 916 123-45-67", "empty": ""}, content_type
        assert body.kind == "form"


def test_nested_json_becomes_paths_and_lists_repeat_theirs() -> None:
    tree = {
        "utm": {"source": "vk", "term": None},
        "tags": ["a", "b"],
        "items": [{"name": "x", "price": 1.10}],
        "ok": True,
    }
    text = json.dumps(tree).replace("1.1", "1.10")
    assert read_body(text.encode()).pairs == [
        ("utm.source", "vk"),
        ("tags", "a"),
        ("tags", "b"),
        ("items.0.name", "x"),
        ("items.0.price", "1.10"),
        ("ok", "true"),
    ]


def test_php_brackets_become_paths() -> None:
    body = read_body(b"fields[email][value]=a%40example.test&tags%5B%5D=1&tags%5B%5D=2&p[products][0][name]=x")
    assert body.pairs == [
        ("fields.email.value", "a@example.test"),
        ("tags", "1"),
        ("tags", "2"),
        ("p.products.0.name", "x"),
    ]


def test_a_key_sent_twice_keeps_both_values() -> None:
    assert read_body(b'{"phone": "1", "phone": "2", "name": "x"}').pairs == [
        ("phone", "1"),
        ("phone", "2"),
        ("name", "x"),
    ]
    assert read_body(b"phone=1&phone=2").pairs == [("phone", "1"), ("phone", "2")]


def test_windows_1251_is_guessed_only_where_utf8_fails() -> None:
    body = read_body(CYRILLIC.encode("windows-1251"), "application/x-www-form-urlencoded; charset=utf-8")
    assert values(body) == {"name": "Иван", "comment": "Окна"}
    assert body.charset_guessed
    assert not read_body(CYRILLIC.encode()).charset_guessed
    assert values(read_body('{"name": "Иван"}'.encode("cp1251"), "application/json")) == {"name": "Иван"}


def test_a_declared_encoding_is_believed_where_utf8_fails() -> None:
    body = read_body(CYRILLIC.encode("koi8-r"), "application/x-www-form-urlencoded; charset=KOI8-R")
    assert values(body) == {"name": "Иван", "comment": "Окна"}
    assert not body.charset_guessed


def test_one_value_in_another_encoding_does_not_spoil_the_others() -> None:
    body = read_body(b"name=%C8%E2%E0%ED&city=%D0%A2%D0%B2%D0%B5%D1%80%D1%8C")
    assert values(body) == {"name": "Иван", "city": "Тверь"}
    assert body.charset_guessed


def test_a_letter_cut_in_two_by_a_length_limit_costs_only_itself() -> None:
    assert decode("Иван".encode()[:-1]) == ("Ива", True)


def test_byte_order_marks_are_no_part_of_the_first_key() -> None:
    assert values(read_body(b"\xef\xbb\xbf" + b'{"name": "x"}')) == {"name": "x"}
    assert values(read_body('{"name": "Иван"}'.encode("utf-16"))) == {"name": "Иван"}
    assert values(read_body(b"\xef\xbb\xbfname=x")) == {"name": "x"}


def test_what_no_database_can_hold_is_taken_out() -> None:
    body = read_body(rb'{"a\u0000": "x\u0000y\ud800z \ud83d\ude00"}')
    assert body.pairs == [("a", "xyz 😀")]
    assert body.tree == {"a": "xyz 😀"}
    assert values(read_body(b"name=a%00b")) == {"name": "ab"}


def test_the_lead_as_json_inside_a_form_field_or_a_json_string_is_found() -> None:
    lead = json.dumps({"name": "x", "utm": {"source": "vk"}})
    expected = {"name": "x", "utm.source": "vk"}
    assert values(read_body(b"data=" + lead.encode())) == expected
    assert values(read_body(json.dumps(lead).encode())) == expected
    assert values(read_body(b"%7B%22name%22%3A%22x%22%7D", "application/x-www-form-urlencoded")) == {"name": "x"}


def test_named_values_of_jquery_are_fields() -> None:
    assert read_body(b'[{"name": "phone", "value": "1"}, {"name": "tags[]", "value": "a"}]').pairs == [
        ("phone", "1"),
        ("tags", "a"),
    ]


def test_a_plain_text_form_is_read_line_by_line() -> None:
    assert values(read_body("name=Иван\r\nphone=+7 916\r\n".encode(), "text/plain")) == {
        "name": "Иван",
        "phone": "+7 916",
    }


def multipart(*parts: tuple[str, str, bytes], boundary: str = "----b7MA", end: bytes = b"\r\n") -> bytes:
    pieces = []
    for name, more, data in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        pieces.append(head + data + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--".encode() + end


PARTS = (
    ("name", "", "Виктор".encode()),
    ("photo", '; filename="дом.jpg"\r\nContent-Type: image/jpeg', b"\xff\xd8\x00\x01"),
)


def test_multipart_gives_fields_and_notes_files_by_name_and_size() -> None:
    body = read_body(multipart(*PARTS), "multipart/form-data; boundary=----b7MA")
    assert body.kind == "multipart"
    assert values(body) == {"name": "Виктор"}
    assert [(file.field, file.filename, file.size_bytes) for file in body.files] == [("photo", "дом.jpg", 4)]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=another",
        "application/x-www-form-urlencoded",
    ],
)
def test_multipart_is_read_without_a_truthful_header(content_type: str) -> None:
    assert values(read_body(multipart(*PARTS), content_type)) == {"name": "Виктор"}


def test_multipart_cut_short_keeps_what_came() -> None:
    whole = multipart(("name", "", b"Viktor"), ("phone", "", b"89994005060"), ("message", "", b"a long text"))
    cut = whole[: whole.index(b"long") + 4]
    assert values(read_body(cut, "multipart/form-data; boundary=----b7MA")) == {
        "name": "Viktor",
        "phone": "89994005060",
        "message": "a long",
    }


def test_multipart_with_bare_line_feeds_and_windows_1251_is_read() -> None:
    data = multipart(("name", "", "Виктор".encode("cp1251"))).replace(b"\r\n", b"\n")
    body = read_body(data, "multipart/form-data; boundary=----b7MA")
    assert values(body) == {"name": "Виктор"}
    assert body.charset_guessed


def test_an_empty_file_input_is_no_file() -> None:
    body = read_body(
        multipart(("name", "", b"x"), ("photo", '; filename=""', b"")), "multipart/form-data; boundary=----b7MA"
    )
    assert body.files == ()


def test_compressed_bodies_are_read_and_bombs_are_not() -> None:
    assert values(read_body(gzip.compress(b"name=x"), "", "gzip")) == {"name": "x"}
    assert values(read_body(b"name=x", "", "gzip")) == {"name": "x"}
    with pytest.raises(UnreadableBody, match="inflates"):
        read_body(gzip.compress(b"a=" + b"x" * 20_000_000), "", "gzip")


def test_more_fields_than_a_form_has_are_counted_not_kept() -> None:
    body = read_body("&".join(f"f{index}=1" for index in range(MAX_FIELDS + 7)).encode())
    assert (len(body.pairs), body.left_out) == (MAX_FIELDS, 7)


def test_deep_json_is_text_below_a_depth_and_refused_when_absurd() -> None:
    deep = '{"a":' * 20 + "1" + "}" * 20
    assert read_body(f'{{"name": "x", "deep": {deep}}}'.encode()).pairs[0] == ("name", "x")
    with pytest.raises(UnreadableBody, match="nested"):
        read_body(b"[" * 100_000)


def test_long_numbers_stay_as_they_were_sent() -> None:
    assert values(read_body(b'{"id": 12345678901234567890123, "n": ' + b"9" * 5000 + b', "bad": NaN}')) == {
        "id": "12345678901234567890123",
        "n": "9" * 5000,
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"hello", "neither JSON nor form"),
        (b'{"name": "Iv', "not valid JSON"),
        (b"{}", "no fields"),
        (b"[1, 2]", "no fields"),
        (b"[1, 2]x", "not valid JSON"),
        (b"\x89PNG\r\n\x1a\n\x00=", "neither"),
        (b"<?xml version='1.0'?><a/>", "neither"),
        (b"=x&=y", "no named fields"),
        (b'"text"', "not valid JSON"),
        (b"------b--", "neither"),
    ],
)
def test_a_body_without_fields_is_unreadable_for_a_reason_that_quotes_nothing(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        read_body(data, "application/json")


def test_the_reason_never_shows_what_was_sent() -> None:
    with pytest.raises(UnreadableBody) as caught:
        read_body(b'{"phone": "+79161234567", secret')
    assert "7916" not in caught.value.reason
    assert "secret" not in caught.value.reason


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
PIECES = st.sampled_from(
    [b"--b", b"--b--", b"\r\n", b"\n", b"Content-Disposition: form-data; name=", b'"a"', b"a[b][]", b"=", b"&",
     b"%", b"%zz", b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u0000", b"\\ud800", b"\xd0", b"\xff", b"\x00",
     b"1e999", b"null", b"; filename=", b"charset=utf-16", b"\xef\xbb\xbf", b"data={"]
)  # fmt: skip
TYPES = st.sampled_from(
    ["", "application/json", "text/plain", "multipart/form-data; boundary=b",
     "multipart/form-data; boundary=" + "x" * 300,
     "application/x-www-form-urlencoded; charset=utf-7", "application/json; charset=utf-16", "a/b; charset=\xff"]
)  # fmt: skip


@given(st.binary() | st.lists(PIECES, max_size=40).map(b"".join), TYPES, st.sampled_from(["", "gzip", "deflate", "br"]))
def test_any_bytes_are_read_or_unreadable(data: bytes, content_type: str, encoding: str) -> None:
    assert "\x00" not in readable(data, {"content-type": content_type, "content-encoding": encoding})
    try:
        body = read_body(data, content_type, encoding)
    except UnreadableBody:
        return
    for path, value in body.pairs:
        assert "\x00" not in path + value
        (path + value).encode()


@given(JSON_LIKE)
def test_any_json_is_read_or_unreadable(tree: object) -> None:
    try:
        body = read_body(json.dumps(tree).encode())
    except UnreadableBody:
        return
    assert any(path for path, _ in body.pairs)
    assert all(isinstance(value, str) for _, value in body.pairs)


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="[]."), min_size=1, max_size=20
        ).filter(lambda key: key.strip() == key),
        st.text(st.characters(exclude_categories=["Cs", "Cc"])),
        min_size=1,
    )
)
def test_json_fields_come_out_as_they_went_in(fields: dict[str, str]) -> None:
    assert values(read_body(json.dumps(fields).encode())) == fields
    assert values(read_body(json.dumps(fields, ensure_ascii=False).encode())) == fields


FORM = "multipart/form-data; boundary=b"
PHOTO = b'Content-Disposition: form-data; name="f"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'


@pytest.mark.parametrize(
    ("sent", "content_type", "shown"),
    [
        (b'{"name": "x"}', "application/json", '{"name": "x"}'),
        ("имя=Иван".encode("windows-1251"), "", "имя=Иван"),
        (b"\x89PNG\x00\x01", "", "[6 bytes]"),
        (b"", "", ""),
        (
            b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nIvan\r\n--b\r\n'
            + PHOTO
            + b"\x00\xff\r\n\r\n\r\n--b--",
            FORM,
            '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nIvan\r\n--b\r\n'
            + PHOTO.decode()
            + "[6 bytes]\r\n--b--",
        ),
        (b"--b\r\n" + PHOTO + b"\x00cut", FORM, "--b\r\n" + PHOTO.decode() + "[4 bytes]\r\n"),
    ],
)
def test_a_body_is_shown_as_text_and_its_files_by_name_and_size(sent: bytes, content_type: str, shown: str) -> None:
    assert readable(sent, {"content-type": content_type}) == shown
    assert readable(gzip.compress(sent), {"content-type": content_type, "content-encoding": "gzip"}) == shown
