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
    "sync_late": "🔴 Синхронизация «{name}» не закончила ни одного прохода за {age}",
    "sync_late_running": "Идёт проход, начат {time}. Если это первый проход по большой базе, подождите.",
    "sync_late_idle": "Проход не идёт. Работает ли хаб с ролью worker и отвечают ли обе CRM?",
    "sync_late_todo": "Как она стоит: {where}",
    "sync_late_over": "🟢 Синхронизация «{name}» закончила проход",
    "sync_loop": {
        "one": "🟡 Синхронизация «{name}»: остановлена {n} пара записей",
        "few": "🟡 Синхронизация «{name}»: остановлены {n} пары записей",
        "other": "🟡 Синхронизация «{name}»: остановлено {n} пар записей",
    },
    "sync_loop_why": "С {time}. Значение раз за разом менялось туда и обратно: на наши записи отвечает робот или "
    "другая интеграция. Остальные пары идут.",
    "sync_loop_todo": "Найдите, кто правит это поле, потом продолжите: {where}",
    "sync_loop_over": "🟢 Синхронизация «{name}»: остановленных пар больше нет",
    "sync_waiting": {
        "one": "🟡 Синхронизация «{name}»: {n} вопрос ждёт вашего решения",
        "few": "🟡 Синхронизация «{name}»: {n} вопроса ждут вашего решения",
        "other": "🟡 Синхронизация «{name}»: {n} вопросов ждут вашего решения",
    },
    "sync_waiting_why": "Споры о значениях: {conflicts}, неясных совпадений: {unclear}. Старший ждёт {age}. До решения "
    "эти поля и записи не трогаются.",
    "sync_waiting_todo": "Решить: {where}",
    "sync_waiting_over": "🟢 Синхронизация «{name}»: все вопросы решены",
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
    "sync_late": '🔴 Sync "{name}" has finished no pass for {age}',
    "sync_late_running": "A pass is running, begun {time}. If it is the first one over much data, wait.",
    "sync_late_idle": "No pass is running. Does the hub run with the role worker, and do both CRMs answer?",
    "sync_late_todo": "How it stands: {where}",
    "sync_late_over": '🟢 Sync "{name}" finished a pass',
    "sync_loop": {
        "one": '🟡 Sync "{name}": {n} pair of records is stopped',
        "other": '🟡 Sync "{name}": {n} pairs of records are stopped',
    },
    "sync_loop_why": "Since {time}. A value went to and fro again and again: a robot or another integration answers "
    "our writes. The other pairs go on.",
    "sync_loop_todo": "Find out who edits the field, then let it go on: {where}",
    "sync_loop_over": '🟢 Sync "{name}": no pairs are stopped any more',
    "sync_waiting": {
        "one": '🟡 Sync "{name}": {n} question waits for your decision',
        "other": '🟡 Sync "{name}": {n} questions wait for your decision',
    },
    "sync_waiting_why": "Conflicts of values: {conflicts}, unclear matches: {unclear}. The oldest waits {age}. Until "
    "then these fields and records are not touched.",
    "sync_waiting_todo": "Decide: {where}",
    "sync_waiting_over": '🟢 Sync "{name}": all questions are decided',
}
