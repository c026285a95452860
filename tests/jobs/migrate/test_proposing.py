"""The proposed dictionary: by meaning, name, type, e-mail and place; what has no counterpart is named."""

from pathlib import Path

from jobs.migrate.dictionary import dictionary_text, write_new
from jobs.migrate.proposing import StageRow, propose, propose_stages
from mappings.accounts import Account, AccountField, AccountStage, AccountUser
from mappings.records import parse_record_mapping


def stages(pipeline: str, *names: str, won: str = "", lost: str = "", usual: bool = True) -> tuple[AccountStage, ...]:
    open_ = [AccountStage(f"{pipeline}-{name}", name, pipeline, pipeline, is_default=usual) for name in names]
    closed = [AccountStage(f"{pipeline}-w", won, pipeline, pipeline, "won", usual)] if won else []
    closed += [AccountStage(f"{pipeline}-l", lost, pipeline, pipeline, "lost", usual)] if lost else []
    return (*open_, *closed)


def account(*fields: AccountField, users: tuple[AccountUser, ...] = (), at: tuple[AccountStage, ...] = ()) -> Account:
    shared = (
        AccountField("title"),
        AccountField("stage", type="stage"),
        AccountField("pipeline"),
        AccountField("responsible", type="user"),
    )
    return Account("CRM", (*shared, *fields), at, users)


OLD = account(
    AccountField("101", "Площадь", type="number"),
    AccountField("102", "Скидка: да", type="bool"),
    AccountField("103", "Этапы", type="enum", enums={"Замер": "1", "Монтаж": "2"}),
    AccountField("104", "leadhub id", code="LEADHUB_ID"),
    AccountField("created_at", type="datetime"),
    users=(
        AccountUser("1", "anna@example.ru", "Анна"),
        AccountUser("2", "oleg@old.example", "Олег"),
        AccountUser("3", "vera@old.example", "Вера"),
        AccountUser("4", "gone@old.example", "Ушёл", active=False),
    ),
    at=stages("Продажи", "Новая", "Замер", "Договор", won="Успех", lost="Отказ"),
)
NEW = account(
    AccountField("uf1", "площадь ", type="money"),
    AccountField("uf2", "Скидка: да", type="number"),
    AccountField("uf3", "Этапы", type="enum", enums={"замер": "9"}),
    AccountField("uf4", "leadhub id", code="LEADHUB_ID"),
    AccountField("created_at", type="datetime", read_only=True),
    users=(AccountUser("a", "anna@example.ru", "Анна П."), AccountUser("b", "oleg@new.example", "Олег")),
    at=stages("Продажи", "Новая", "Переговоры", won="Оплачено", lost="Потеряна"),
)


def test_fields_go_by_name_where_the_types_fit_and_users_by_mail_then_by_name() -> None:
    found = propose("deal", OLD, NEW, ("amocrm", "bitrix24"))
    own = {row.left: (row.right, row.unknown) for row in found.fields if row.left not in ("title", "stage")}
    assert own == {"responsible": ("responsible", ()), "Площадь": ("площадь ", ()), "Этапы": ("Этапы", ("Монтаж",))}
    assert found.without == (("Скидка: да", "bool"),)
    assert found.users == (("oleg@old.example", "oleg@new.example"),)
    assert found.users_without == ("vera@old.example",)
    assert not found.made_at_kept


def test_stages_go_by_name_by_meaning_and_by_place_in_order() -> None:
    assert list(propose_stages(OLD, NEW)) == [
        StageRow("Продажи/Новая", "Продажи/Новая", "name"),
        StageRow("Продажи/Замер", "Продажи/Новая", "place"),
        StageRow("Продажи/Договор", "Продажи/Переговоры", "place"),
        StageRow("Продажи/Успех", "Продажи/Оплачено", "meaning"),
        StageRow("Продажи/Отказ", "Продажи/Потеряна", "meaning"),
    ]
    assert [row.right for row in propose_stages(OLD, account())] == [""] * 5


def test_the_file_is_a_mapping_in_either_language_and_belongs_to_the_person(tmp_path: Path) -> None:
    found = propose("deal", OLD, NEW, ("amocrm", "bitrix24"))
    for locale in ("ru", "en"):
        text = dictionary_text(found, ("amocrm", "bitrix24"), ("sales", "b24"), locale)
        mapping = parse_record_mapping(text.encode(), "x.yaml").bound(OLD, NEW)
        assert mapping.to_right({"101": "12.5", "stage": "Продажи-w", "pipeline": "Продажи", "responsible": "2"}) == {
            "uf1": mapping.to_right({"101": "12.5"})["uf1"],
            "stage": "Продажи-w",
            "pipeline": "Продажи",
            "responsible": "b",
        }
        assert "vera@old.example" in text
    path = tmp_path / "mappings" / "sync" / "x.yaml"
    assert write_new(path, "one")
    assert not write_new(path, "two")
    assert (path.read_text(encoding="utf-8"), len(list(path.parent.iterdir()))) == ("one", 1)
