"""Invented letters, as mail programs and form plugins write them."""

import base64
from email.message import EmailMessage
from quopri import encodestring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.doors import ParsedLead, Unreadable
from connectors.imap.letters import read_letter
from connectors.imap.settings import ImapSettings
from tests.support.requests import NOW

BOX = ImapSettings.model_validate(
    {
        "host": "imap.okna.example.ru",
        "user": "sales@okna.example.ru",
        "password": "fake-box-password",
        "form_senders": ["noreply@site.example.ru", "@forms.example.com"],
    }
)


def read(raw: bytes | str, box: ImapSettings = BOX) -> ParsedLead | None:
    return read_letter(raw.encode() if isinstance(raw, str) else raw, box, "RU", NOW)


def lead(raw: bytes | str, box: ImapSettings = BOX) -> ParsedLead:
    found = read(raw, box)
    assert found is not None
    return found


def letter(
    text: str, sender: str = "Иван Петров <Ivan@Client.example.ru>", subject: str = "Окна", **headers: str
) -> bytes:
    """As a mail program of today writes it."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "sales@okna.example.ru"
    message["Subject"] = subject
    message["Message-ID"] = "<m1@client.example.ru>"
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def html(body: str, sender: str = "ivan@client.example.ru", subject: str = "Окна") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"], message["Message-ID"] = sender, subject, "<m2@x>"
    message.set_content(body, subtype="html")
    return message.as_bytes()


FORM = "Site <noreply@site.example.ru>"


# --- a new sender --------------------------------------------------------------------------


def test_a_letter_of_a_person_is_a_lead() -> None:
    found = lead(letter("Здравствуйте!\n\nНужны три окна.\n"))
    assert (found.lead_uid, found.name, found.emails) == (
        "m1@client.example.ru",
        "Иван Петров",
        ("ivan@client.example.ru",),
    )
    assert found.comment == "Окна\nЗдравствуйте!\n\nНужны три окна."
    assert (found.phones, found.extra, found.flags, found.form) == ((), {}, (), "")
    assert found.touch is not None
    assert found.touch.channel == "email"


def test_the_signature_is_kept_apart_and_gives_the_phone() -> None:
    found = lead(letter("Нужны окна.\n\n-- \nИван Петров\nтел.: 8 (999) 100-20-30\n"))
    assert (found.comment, found.phones) == ("Окна\nНужны окна.", ("+79991002030",))
    assert found.extra == {"signature": "Иван Петров\nтел.: 8 (999) 100-20-30"}


@pytest.mark.parametrize(
    "farewell", ["С уважением,", "с наилучшими пожеланиями", "Best regards,", "Mit freundlichen Grüßen"]
)
def test_a_farewell_begins_the_signature_too(farewell: str) -> None:
    found = lead(letter(f"Нужны окна.\n\n{farewell}\nИван\n+7 999 100-20-30\n"))
    assert (found.comment, found.phones) == ("Окна\nНужны окна.", ("+79991002030",))


def test_a_number_in_the_middle_of_a_sentence_is_not_taken_for_a_phone() -> None:
    found = lead(letter("Заказ 89991002030 не пришёл, счёт 40702810900000012345."))
    assert (found.phones, found.flags) == ((), ())


@pytest.mark.parametrize(
    "line", ["Отправлено с iPhone", "Sent from my iPhone", "Отправлено из мобильной Почты Mail.ru"]
)
def test_what_a_telephone_adds_is_dropped(line: str) -> None:
    assert lead(letter(f"Нужны окна\n\n{line}\n")).comment == "Окна\nНужны окна"


QUOTES = [
    "> Добрый день!\n> Мы делаем окна, тел.: 8 800 100-20-30\n",
    "24.11.2026 12:00, Анна <sales@okna.example.ru> пишет:\n> Мы делаем окна\n",
    "вт, 24 нояб. 2026 г. в 12:00, Анна <sales@okna.example.ru>:\n\n> Мы делаем окна\n",
    "On Tue, Nov 24, 2026 at 12:00 PM Anna <sales@okna.example.ru>\nwrote:\n\n> Мы делаем окна\n",
    "-----Original Message-----\nFrom: Anna\nSent: Tuesday\nSubject: Окна\n\nМы делаем окна\n",
    "________________________________\nОт: Анна <sales@okna.example.ru>\nОтправлено: 24 ноября 2026 г.\n"
    "Кому: Иван\nТема: Окна\n\nМы делаем\n",
    "From: Anna <sales@okna.example.ru>\nDate: Tue\nTo: Ivan\nSubject: Okna\n\nМы делаем окна\n",
]


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_letter_is_not_taken_for_his_words(quote: str) -> None:
    found = lead(letter(f"Да, согласен.\n\n{quote}", subject="Re: Окна", In_Reply_To="<q@x>"))
    assert found.comment.strip("_").strip() == "Окна\nДа, согласен."
    assert found.phones == ()


def test_an_answer_inside_the_quote_is_kept_whole() -> None:
    found = lead(letter("> Какой этаж?\nПятый\n> Какой дом?\nКирпичный\n", subject="Re: Окна"))
    assert found.comment == "Окна\nПятый\nКирпичный"
    assert lead(letter("> Только цитата\n")).comment == "Окна\nТолько цитата"


def test_html_alone_is_read_as_a_browser_shows_it() -> None:
    found = lead(html(
        "<html><head><style>p{color:red}</style><title>t</title></head><body>"
        "<p>Здравствуйте&nbsp;&amp; до свидания</p>"
        "<div>Нужны <b>окна</b><br>три</div><script>alert(1)</script>"
        "<blockquote>Мы делаем окна</blockquote></body></html>"
    ))  # fmt: skip
    assert found.comment == "Окна\nЗдравствуйте & до свидания\n\nНужны окна\nтри"


def test_plain_text_is_taken_before_html_and_files_are_named() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "ivan@client.example.ru", "Замер"
    message.set_content("Текст")
    message.add_alternative("<p>HTML</p>", subtype="html")
    message.add_attachment(b"12345", maintype="image", subtype="png", filename="план дома.png")
    found = lead(message.as_bytes())
    assert (found.comment, found.extra) == ("Замер\nТекст", {"attachments": "план дома.png (5 bytes)"})


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("koi8-r", "base64"), ("windows-1251", "quoted-printable"), ("utf-8", "8bit"), ("cp866", "base64")],
)
def test_texts_and_headers_of_every_encoding_are_read(charset: str, encoding: str) -> None:
    body = "Нужны окна".encode(charset)
    sent = {"base64": base64.encodebytes(body), "quoted-printable": encodestring(body), "8bit": body}[encoding]
    words = base64.b64encode("Мария Ёлкина".encode(charset)).decode()
    head = (
        f"From: =?{charset}?B?{words}?= <m@client.example.ru>\nSubject: =?{charset}?B?{words}?=\n"
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    )
    found = lead(head.encode() + sent)
    assert (found.name, found.comment) == ("Мария Ёлкина", "Мария Ёлкина\nНужны окна")


def test_eight_bit_headers_and_a_lying_charset_are_read_and_flagged() -> None:
    raw = "From: Мария <m@client.example.ru>\nSubject: Окна\nContent-Type: text/plain; charset=x-none\n\nНужны".encode(
        "cp1251"
    )
    found = lead(raw)
    assert (found.name, found.comment, found.flags) == ("Мария", "Окна\nНужны", ("charset_guessed",))


def test_a_letter_without_an_id_is_named_by_its_bytes() -> None:
    raw = b"From: a@client.example.ru\n\nhello"
    assert lead(raw).lead_uid == lead(raw).lead_uid
    assert lead(raw).lead_uid.startswith("sha256:")
    assert lead(raw + b"!").lead_uid != lead(raw).lead_uid


def test_flowed_lines_are_joined() -> None:
    raw = (
        "From: a@client.example.ru\nSubject: S\nContent-Type: text/plain; format=flowed\n\nlong \nline\nnext\n-- \nAnn"
    )
    found = lead(raw)
    assert (found.comment, found.extra) == ("S\nlong line\nnext", {"signature": "Ann"})


# --- nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "subject", "headers"),
    [
        ("MAILER-DAEMON@mx.example.ru", "Undelivered Mail Returned to Sender", {}),
        ("postmaster@mx.example.ru", "Delivery Status Notification (Failure)", {}),
        ("ivan@client.example.ru", "Автоответ: Окна", {}),
        ("ivan@client.example.ru", "Re: Automatic reply: Okna", {}),
        ("ivan@client.example.ru", "Окна", {"Auto-Submitted": "auto-replied"}),
        ("ivan@client.example.ru", "Окна", {"X-Autoreply": "yes"}),
        ("ivan@client.example.ru", "Окна", {"Precedence": "auto_reply"}),
        ("ivan@client.example.ru", "Окна", {"Return-Path": "<>"}),
        ("ivan@client.example.ru", "Окна", {"X-Failed-Recipients": "x@y.example.ru"}),
        ("news@shop.example.ru", "Скидки", {"List-Unsubscribe": "<https://x.example.ru>"}),
        ("list@shop.example.ru", "Тема", {"Precedence": "bulk"}),
        ("robot@bank.example.ru", "Выписка", {}),
        ("no-reply@service.example.ru", "Вход выполнен", {}),
        ("sales@okna.example.ru", "Напоминание себе", {}),
        ("anna@okna.example.ru", "Коллеге", {}),
        ("", "Без отправителя", {}),
    ],
)
def test_bounces_automatic_answers_mailings_and_our_own_letters_are_nothing(
    sender: str, subject: str, headers: dict[str, str]
) -> None:
    head = "".join(f"{name}: {value}\n" for name, value in {"From": sender, "Subject": subject, **headers}.items())
    assert read(f"{head}\nТекст письма без телефона") is None


def test_a_report_is_nothing_even_with_the_clients_letter_inside() -> None:
    raw = (
        "From: ivan@client.example.ru\nContent-Type: multipart/report; boundary=b\n\n--b\n\nfailed\n--b\n"
        "Content-Type: message/rfc822\n\nFrom: x@client.example.ru\n\nhello\n--b--\n"
    )
    assert read(raw) is None


def test_colleagues_of_a_free_mail_box_are_strangers_unless_named() -> None:
    box = BOX.model_copy(update={"user": "okna@gmail.com"})
    assert lead(letter("Окна", "ann@gmail.com"), box).emails == ("ann@gmail.com",)
    assert read(letter("Окна", "ann@gmail.com"), box.model_copy(update={"own": ("ann@gmail.com",)})) is None


# --- a form --------------------------------------------------------------------------------


def test_lines_of_a_forms_letter_are_fields() -> None:
    found = lead(letter(
        "Имя: Анна Орлова\nТелефон: 8 (999) 100-20-30\nE-mail: anna@example.test\nКомментарий: Нужны окна,\n"
        "дом кирпичный\n\nСтраница: https://okna.example.ru/?utm_source=yandex&utm_medium=cpc\nЭтаж: 5\nyclid: 77\n",
        FORM, "Заявка с сайта «Расчёт»",
    ))  # fmt: skip
    assert (found.name, found.phones, found.emails) == ("Анна Орлова", ("+79991002030",), ("anna@example.test",))
    assert (found.comment, found.form) == ("Нужны окна,\nдом кирпичный", "Заявка с сайта «Расчёт»")
    assert found.utm == {"utm_source": "yandex", "utm_medium": "cpc"}
    assert (found.click_ids, found.extra, found.flags) == ({"yclid": "77"}, {"Этаж": "5"}, ())
    assert found.touch is not None
    assert found.touch.channel == "ad"


@pytest.mark.parametrize(
    "text",
    [
        "Name:\nАнна\n\nPhone:\n8 999 100-20-30\n",
        "--- Name ---\n\nАнна\n\n--- Phone ---\n\n8 999 100-20-30\n",
        "*Имя:* Анна\n*Телефон:* 8 999 100-20-30\n",
        "• Имя: Анна\n• Телефон: 8 999 100-20-30\n",
        "Имя - Анна\nТелефон — 8 999 100-20-30\n",
        "Имя\nАнна\nТелефон\n8 999 100-20-30\n",
        "Заявка #5\n=====\nИмя : Анна\nТелефон : 8 999 100-20-30\n=====\n",
    ],
)
def test_every_usual_layout_of_a_forms_letter_is_read(text: str) -> None:
    found = lead(letter(text, FORM))
    assert (found.name, found.phones) == ("Анна", ("+79991002030",))


@pytest.mark.parametrize(
    "body",
    [
        "<table><tr><td>Имя</td><td>Анна</td></tr><tr><th>Телефон:</th><td>8 999 100-20-30</td></tr></table>",
        "<table><tr><td><b>Имя</b></td></tr><tr><td>Анна</td></tr><tr><td><b>Телефон</b></td></tr>"
        "<tr><td>8 999 100-20-30</td></tr></table>",
        "<p><strong>Имя</strong><br>Анна</p><p><strong>Телефон</strong><br/>8 999 100-20-30</p>",
        "Имя: Анна<br>Телефон: <a href='tel:89991002030'>8 999 100-20-30</a>",
        "<ul><li>Имя: Анна</li><li>Телефон: 8 999 100-20-30</li></ul>",
    ],
)
def test_every_usual_html_of_a_forms_letter_is_read(body: str) -> None:
    found = lead(html(body, "noreply@site.example.ru"))
    assert (found.name, found.phones) == ("Анна", ("+79991002030",))


def test_contact_form_7_as_it_comes_out_of_the_box() -> None:
    found = lead(letter(
        "From: Анна <anna@example.test>\nSubject: Окна\n\nMessage Body:\nНужны окна\nдва\n\n-- \n"
        "This e-mail was sent from a contact form on Okna (https://okna.example.ru)\n",
        FORM, 'Okna "Окна"',
    ))  # fmt: skip
    assert (found.name, found.emails, found.form) == ("Анна", ("anna@example.test",), 'Okna "Окна"')
    assert found.extra["Subject"] == "Окна"
    assert "Нужны окна" in found.comment or "Нужны окна" in found.extra["Message Body"]


def test_the_visitor_may_stand_in_reply_to_alone() -> None:
    found = lead(letter("Имя: Анна\nТекст: Окна", FORM, Reply_To="Anna <anna@example.test>"))
    assert (found.name, found.emails, found.flags) == ("Анна", ("anna@example.test",), ())
    ours = lead(letter("Имя: Анна\nТекст: Окна", FORM, Reply_To="sales@okna.example.ru"))
    assert (ours.emails, ours.flags) == ((), ("no_contact",))


def test_a_form_sender_without_readable_lines_is_a_lead_all_the_same() -> None:
    found = lead(letter("Позвоните на 8 999 100 20 30", FORM, "Заявка"))
    assert (found.form, found.comment, found.flags) == ("Заявка", "Позвоните на 8 999 100 20 30", ("no_contact",))


def test_a_form_plugin_that_calls_itself_automatic_is_still_a_form() -> None:
    found = lead(letter("Телефон: 8 999 100-20-30", FORM, Auto_Submitted="auto-generated", List_Unsubscribe="<x>"))
    assert found.phones == ("+79991002030",)


@pytest.mark.parametrize(
    "sender", ["wordpress@okna.example.ru", "sales@okna.example.ru", "no-reply@builder.example.com"]
)
def test_a_form_that_is_not_named_in_the_settings_is_known_by_its_lines(sender: str) -> None:
    found = lead(letter("Имя: Анна\nТелефон: 8 999 100-20-30\n", sender, "Новая заявка"))
    assert (found.name, found.phones, found.form) == ("Анна", ("+79991002030",), "Новая заявка")


def test_every_address_of_a_form_senders_domain_counts() -> None:
    assert lead(letter("Телефон: 89991002030", "x@mail.forms.example.com")).phones == ("+79991002030",)
    assert lead(letter("Телефон: 89991002030", "x@notforms.example.com")).emails == ("x@notforms.example.com",)


def test_a_persons_letter_with_labels_stays_his() -> None:
    found = lead(letter("Прошу счёт.\nКомпания: ООО Ромашка\nТелефон: 8 999 100-20-30\n"))
    assert (found.emails, found.phones) == (("ivan@client.example.ru",), ("+79991002030",))
    assert "Компания: ООО Ромашка" in found.comment


# --- forwarded -----------------------------------------------------------------------------

FORWARDS = [
    "---------- Forwarded message ---------\nОт: Иван Петров <ivan@client.example.ru>\nDate: вт, 24 нояб. 2026 г.\n"
    "Subject: Окна\nTo: <anna@okna.example.ru>\n\n\nНужны окна\n",
    '-------- Пересылаемое сообщение --------\n24.11.2026, 12:00, "Иван Петров" <ivan@client.example.ru>:\n\n'
    "Нужны окна\n",
    "-------- Перенаправленное сообщение --------\nТема: \tОкна\nДата: \tTue, 24 Nov\n"
    "От: \tИван Петров <ivan@client.example.ru>\nКому: \tanna@okna.example.ru\n\nНужны окна\n",
    "Begin forwarded message:\n\n> From: Иван Петров <ivan@client.example.ru>\n> Subject: Окна\n"
    "> Date: 24 Nov\n>\n> Нужны окна\n",
    "-----Original Message-----\nFrom: Иван Петров [mailto:ivan@client.example.ru]\nSent: Tuesday\n"
    "To: Anna\nSubject: Окна\n\nНужны окна\n",
]


@pytest.mark.parametrize("text", FORWARDS)
def test_a_letter_that_a_colleague_sends_on_is_its_writers(text: str) -> None:
    found = lead(letter(f"Возьмите в работу\n\n{text}", "anna@okna.example.ru", "Fwd: Окна"))
    assert (found.emails, found.name) in (
        (("ivan@client.example.ru",), "Иван Петров"), (("ivan@client.example.ru",), ""),
    )  # fmt: skip
    assert found.comment == "Окна\nНужны окна"
    assert found.extra == {"forwarded_by": "anna@okna.example.ru", "note": "Возьмите в работу"}


def test_a_forwarded_letter_of_a_form_is_a_form() -> None:
    head = "-------- Forwarded message --------\nFrom: noreply@site.example.ru\nSubject: Заявка\nDate: x\n\n"
    text = f"{head}Имя: Анна\nТелефон: 89991002030\n"
    found = lead(letter(text, "anna@okna.example.ru", "Fwd: Заявка"))
    assert (found.name, found.phones, found.form) == ("Анна", ("+79991002030",), "Заявка")


def test_a_letter_forwarded_as_a_file_is_its_writers() -> None:
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Иван <ivan@client.example.ru>", "Окна"
    inner.set_content("Нужны окна")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "anna@okna.example.ru", "Fwd"
    outer.set_content("См. вложение")
    outer.add_attachment(inner)
    found = lead(outer.as_bytes())
    assert (found.emails, found.comment) == (("ivan@client.example.ru",), "Окна\nНужны окна")
    assert found.extra["note"] == "См. вложение"


def test_what_a_client_forwards_stays_the_clients() -> None:
    found = lead(letter(f"Вот что мне предложили\n\n{FORWARDS[0]}", "petr@client.example.ru"))
    assert found.emails == ("petr@client.example.ru",)
    assert found.comment.startswith("Окна\nВот что мне предложили")


@pytest.mark.parametrize(
    "quote",
    [
        "24.11.2026 12:00, Иван <ivan@client.example.ru> пишет:\n> Нужны окна",
        "-----Original Message-----\nFrom: Иван <ivan@client.example.ru>\nSent: Tu\nTo: Anna\n"
        "Subject: Окна\n\nНужны окна",
    ],
)
def test_a_colleague_who_answers_a_client_makes_no_lead(quote: str) -> None:
    assert read(letter(f"Добрый день!\n\n{quote}", "anna@okna.example.ru", "Re: Окна")) is None


# --- whatever comes ------------------------------------------------------------------------


def test_a_letter_nested_absurdly_deep_is_unreadable_or_read_but_never_an_accident() -> None:
    head = b"From: a@client.example.ru\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
    raw = b"".join(head % (n, n) for n in range(3000)) + b"\nhello"
    try:
        found = read(raw)
    except Unreadable:
        return
    assert found is None or found.emails == ("a@client.example.ru",)


def test_a_very_long_letter_is_cut_for_the_deal() -> None:
    found = lead(letter("слово " * 50_000))
    assert len(found.comment) <= 10_000


ODD = [
    b"=?utf-8?B?////?=", b"=?x?Q?=?=", b"a@b.test", b'"a" <a@b.test', b"multipart/mixed; boundary=b", b"base64",
    b"text/html; charset=utf-7", b"message/rfc822", b"multipart/report", b"text/plain; charset*0=a; charset*1*=%ff",
]  # fmt: skip
NAMES = [b"From", b"Subject", b"Content-Type", b"Content-Transfer-Encoding", b"Reply-To", b"Message-ID"]
BROKEN = st.binary(max_size=120)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.binary(max_size=40)
        | st.sampled_from(ODD),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=300)
@given(HEADERS, BROKEN)
def test_no_bytes_break_the_reading_of_letters(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    raw = b"".join(name + b": " + value + b"\n" for name, value in headers) + b"\n" + body
    try:
        found = read(raw)
    except Unreadable:
        return
    if found is not None:
        " ".join((found.name, found.comment, found.form, found.lead_uid, *found.extra.values())).encode()


@settings(max_examples=100)
@given(st.integers(0, 4000), st.binary(max_size=4), st.sampled_from(FORWARDS + QUOTES))
def test_a_damaged_letter_breaks_nothing(position: int, bytes_there: bytes, text: str) -> None:
    raw = letter(text, "anna@okna.example.ru")
    at = position % len(raw)
    read(raw[:at] + bytes_there + raw[at + 1 :])


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", ["noreply", "a b@example.com", "@", ""])
def test_a_sender_that_is_no_address_is_an_error_of_the_configuration(sender: str) -> None:
    with pytest.raises(ValidationError):
        ImapSettings.model_validate({"host": "h", "user": "u", "password": "p", "form_senders": [sender]})


def test_the_password_is_never_shown() -> None:
    assert "fake-box-password" not in repr(BOX)


def test_every_setting_is_described() -> None:
    assert [name for name, field in ImapSettings.model_fields.items() if not field.description] == []
