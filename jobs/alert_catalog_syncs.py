"""The words of alerts about record sync."""

from collections.abc import Mapping

from jobs.alert_catalog_sources import Entry

RU: Mapping[str, Entry] = {
    "sync_braked": {
        "one": "🟡 Синхронизация «{name}» ждёт решения: {n} запись",
        "few": "🟡 Синхронизация «{name}» ждёт решения: {n} записи",
        "other": "🟡 Синхронизация «{name}» ждёт решения: {n} записей",
    },
    "sync_braked_why": "С {time}. Один проход изменил бы больше записей, чем разрешено. Ничего не изменено.",
    "sync_braked_todo": "Что она сделает: {plan}. Если так и надо: {run}",
    "sync_braked_over": "🟢 Синхронизация «{name}» идёт дальше",
    "sync_failed": "🔴 Синхронизация «{name}» не идёт",
    "sync_failed_answer": "Ответ: {detail}",
    "sync_failed_todo": "Пробую дальше сам, уже сделанное не повторится. Подробнее: {where}",
    "sync_failed_over": "🟢 Синхронизация «{name}» снова идёт",
}

EN: Mapping[str, Entry] = {
    "sync_braked": {
        "one": '🟡 Sync "{name}" waits for a decision: {n} record',
        "other": '🟡 Sync "{name}" waits for a decision: {n} records',
    },
    "sync_braked_why": "Since {time}. One pass would change more records than it may. Nothing has been changed.",
    "sync_braked_todo": "What it would do: {plan}. If that is meant: {run}",
    "sync_braked_over": '🟢 Sync "{name}" goes on',
    "sync_failed": '🔴 Sync "{name}" does not run',
    "sync_failed_answer": "Answer: {detail}",
    "sync_failed_todo": "Retrying by itself; what is done is not done twice. More: {where}",
    "sync_failed_over": '🟢 Sync "{name}" runs again',
}
