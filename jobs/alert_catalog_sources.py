"""The words of alerts about sources: what could not be read there, what was recovered, who is silent."""

from collections.abc import Mapping

Entry = str | Mapping[str, str]

RU: Mapping[str, Entry] = {
    "cause_no_access": "в настройках источника нет {detail}",
    "errand_late": {
        "one": "🔴 {n} обращение ещё не прочитано: {source}",
        "few": "🔴 {n} обращения ещё не прочитаны: {source}",
        "other": "🔴 {n} обращений ещё не прочитаны: {source}",
    },
    "errand_late_age": "Старшее ждёт {age}, с {time}.",
    "errand_late_todo": "Номера сохранены, сами обращения лежат у источника, пробую дальше. Список: {where}",
    "errand_late_todo_access": "Номера сохранены, сами обращения лежат у источника. Добавьте {detail} в config.yaml "
    "(sources.{name}) и перезапустите leadhub. Список: {where}",
    "errand_late_todo_token": "Номера сохранены, сами обращения лежат у источника. Обновите токен или его права "
    "(sources.{name}) и перезапустите leadhub. Список: {where}",
    "errand_late_over": "🟢 {source}: всё, что ждало, прочитано",
    "errand_failed": {
        "one": "🔴 {n} обращение не удалось прочитать: {source}",
        "few": "🔴 {n} обращения не удалось прочитать: {source}",
        "other": "🔴 {n} обращений не удалось прочитать: {source}",
    },
    "errand_failed_answer": "Ответ: {detail}",
    "errand_failed_todo": "Сам повторять не буду. Номера обращений: {show}. Исправьте причину и повторите: {where}",
    "errand_failed_over": "🟢 {source}: непрочитанных обращений больше нет",
    "source_disconnected": "🔴 Нет связи с источником: {source}",
    "source_disconnected_why": "С {time}. {cause}",
    "source_disconnected_todo": "Пока связи нет, события оттуда не слышны. Проверьте адрес, логин и сеть "
    "(sources.{name} в config.yaml); подключаюсь снова сам.",
    "source_disconnected_over": "🟢 Связь с источником есть: {source}",
    "events_stuck": {
        "one": "🔴 {n} принятое событие ещё не обработано",
        "few": "🔴 {n} принятых события ещё не обработаны",
        "other": "🔴 {n} принятых событий ещё не обработаны",
    },
    "events_stuck_why": "Старшее ждёт с {time}. {cause}",
    "events_stuck_todo": "Они сохранены, пробую дальше сам. Посмотрите, что записано в журнале рядом с inbox.failed, "
    "обновите leadhub или напишите разработчикам; посмотреть, снять: {where}",
    "events_stuck_over": "🟢 Все принятые события обработаны",
    "list_unread": "🟡 Сверка со списком не проходит: {source}",
    "list_unread_why": "С {time}. Ответ: {detail}",
    "list_unread_todo": "Звонки и обращения, которых вебхук не донёс, пока не находятся. Проверьте ключи и права "
    "(sources.{name} в config.yaml); читаю снова сам. Состояние: {where}",
    "list_unread_over": "🟢 Сверка со списком снова проходит: {source}",
    "copies_failing": {
        "one": "🟡 {n} запись разговора не скопирована: {source}",
        "few": "🟡 {n} записи разговоров не скопированы: {source}",
        "other": "🟡 {n} записей разговоров не скопированы: {source}",
    },
    "copies_failing_why": "С {time}. Ответ: {detail}",
    "copies_failing_todo": "Пока источник их хранит, послушать их можно у него. Проверьте место на диске или доступ к "
    "хранилищу и ключи источника (sources.{name} в config.yaml).",
    "copies_failing_over": "🟢 Записи разговоров копируются: {source}",
    "unclaimed": {
        "one": "🟡 {n} запись ни к кому не относится: {source}",
        "few": "🟡 {n} записи ни к кому не относятся: {source}",
        "other": "🟡 {n} записей ни к кому не относятся: {source}",
    },
    "unclaimed_why": "С {time}. Оплата или разбор звонка пришли, но за сутки не нашлось ни лида, ни звонка, к которому "
    "их приписать.",
    "unclaimed_todo": "Что это: {show}. Заведите лид и повторите: {where}",
    "unclaimed_over": "🟢 {source}: записей без хозяина больше нет",
    "source_recovered": {
        "one": "🟢 Восстановлено {n} обращение: {source}",
        "few": "🟢 Восстановлены {n} обращения: {source}",
        "other": "🟢 Восстановлено {n} обращений: {source}",
    },
    "source_recovered_call": {
        "one": "🟢 Восстановлен {n} звонок: {source}",
        "few": "🟢 Восстановлены {n} звонка: {source}",
        "other": "🟢 Восстановлено {n} звонков: {source}",
    },
    "source_recovered_payment": {
        "one": "🟢 Восстановлена {n} оплата: {source}",
        "few": "🟢 Восстановлены {n} оплаты: {source}",
        "other": "🟢 Восстановлено {n} оплат: {source}",
    },
    "source_recovered_why": "Сами они сюда не пришли, нашлись при сверке со списком у источника, {first}–{last}. Уже "
    "идут в CRM; лиды помечены «recovered».",
    "source_recovered_todo": "Если так повторяется, проверьте у источника адрес вебхука: {where}",
    "source_silent": "🟡 «{name}» молчит {age}",
    "source_silent_usual": {
        "one": "Обычно в это время {n} обращение в час.",
        "few": "Обычно в это время {n} обращения в час.",
        "other": "Обычно в это время {n} обращений в час.",
    },
    "source_silent_last": "Последнее в {time}.",
    "source_silent_usual_form": {
        "one": "Обычно в это время {n} заявка в час.",
        "few": "Обычно в это время {n} заявки в час.",
        "other": "Обычно в это время {n} заявок в час.",
    },
    "source_silent_last_form": "Последняя в {time}.",
    "source_silent_usual_telephony": {
        "one": "Обычно в это время {n} звонок в час.",
        "few": "Обычно в это время {n} звонка в час.",
        "other": "Обычно в это время {n} звонков в час.",
    },
    "source_silent_last_telephony": "Последний в {time}.",
    "source_silent_todo": "Проверьте, работает ли источник и шлёт ли он на адрес leadhub: {where}",
    "source_silent_todo_form": "Проверьте сайт и форму.",
    "source_silent_todo_telephony": "Позвоните на номер сами и проверьте вебхук в АТС: {where}",
    "source_silent_over": "🟢 «{name}» снова присылает",
}

EN: Mapping[str, Entry] = {
    "cause_no_access": "there is no {detail} in the settings of the source",
    "errand_late": {
        "one": "🔴 {n} enquiry is not read yet: {source}",
        "other": "🔴 {n} enquiries are not read yet: {source}",
    },
    "errand_late_age": "The oldest waits {age}, since {time}.",
    "errand_late_todo": "Their numbers are stored, the enquiries lie at the source; I keep trying. List: {where}",
    "errand_late_todo_access": "Their numbers are stored, the enquiries lie at the source. Add {detail} to config.yaml "
    "(sources.{name}) and restart leadhub. List: {where}",
    "errand_late_todo_token": "Their numbers are stored, the enquiries lie at the source. Renew the token or its "
    "rights (sources.{name}) and restart leadhub. List: {where}",
    "errand_late_over": "🟢 {source}: all that waited is read",
    "errand_failed": {
        "one": "🔴 {n} enquiry could not be read: {source}",
        "other": "🔴 {n} enquiries could not be read: {source}",
    },
    "errand_failed_answer": "The answer: {detail}",
    "errand_failed_todo": "I do not try again. Their numbers: {show}. Mend the cause and retry: {where}",
    "errand_failed_over": "🟢 {source}: no enquiries are left unread",
    "source_disconnected": "🔴 No connection to the source: {source}",
    "source_disconnected_why": "Since {time}. {cause}",
    "source_disconnected_todo": "Until it is back its events are not heard. Check address, login and network "
    "(sources.{name} in config.yaml); I go on connecting.",
    "source_disconnected_over": "🟢 The source is connected: {source}",
    "events_stuck": {
        "one": "🔴 {n} accepted event is not worked on yet",
        "other": "🔴 {n} accepted events are not worked on yet",
    },
    "events_stuck_why": "The oldest waits since {time}. {cause}",
    "events_stuck_todo": "They are stored and I keep trying. See what the log says beside inbox.failed, update leadhub "
    "or write to its developers; to see them, to let one go: {where}",
    "events_stuck_over": "🟢 All accepted events are worked on",
    "list_unread": "🟡 The list cannot be compared: {source}",
    "list_unread_why": "Since {time}. The answer: {detail}",
    "list_unread_todo": "Calls and enquiries that a webhook did not bring are not found meanwhile. Check keys and "
    "rights (sources.{name} in config.yaml); I read it again by myself. State: {where}",
    "list_unread_over": "🟢 The list is compared again: {source}",
    "copies_failing": {
        "one": "🟡 {n} recording is not copied: {source}",
        "other": "🟡 {n} recordings are not copied: {source}",
    },
    "copies_failing_why": "Since {time}. The answer: {detail}",
    "copies_failing_todo": "As long as the source keeps them they can be heard there. Check room on the disk or access "
    "to the storage, and the keys of the source (sources.{name} in config.yaml).",
    "copies_failing_over": "🟢 Recordings are copied: {source}",
    "unclaimed": {
        "one": "🟡 {n} record belongs to nobody: {source}",
        "other": "🟡 {n} records belong to nobody: {source}",
    },
    "unclaimed_why": "Since {time}. A payment or an analysis of a call came, and within a day there was neither a lead "
    "nor a call that it is of.",
    "unclaimed_todo": "What it is: {show}. Make the lead and retry: {where}",
    "unclaimed_over": "🟢 {source}: no records without an owner are left",
    "source_recovered": {
        "one": "🟢 {n} enquiry recovered: {source}",
        "other": "🟢 {n} enquiries recovered: {source}",
    },
    "source_recovered_call": {
        "one": "🟢 {n} call recovered: {source}",
        "other": "🟢 {n} calls recovered: {source}",
    },
    "source_recovered_payment": {
        "one": "🟢 {n} payment recovered: {source}",
        "other": "🟢 {n} payments recovered: {source}",
    },
    "source_recovered_why": "They never came here by themselves; a comparison with the list at the source found them, "
    '{first}–{last}. They are on their way to the CRM; leads are flagged "recovered".',
    "source_recovered_todo": "If this goes on, check the address of the webhook at the source: {where}",
    "source_silent": '🟡 "{name}" has been silent for {age}',
    "source_silent_usual": {
        "one": "At this time it usually sends {n} enquiry per hour.",
        "other": "At this time it usually sends {n} enquiries per hour.",
    },
    "source_silent_last": "The last one came at {time}.",
    "source_silent_usual_form": {
        "one": "At this time it usually sends {n} enquiry per hour.",
        "other": "At this time it usually sends {n} enquiries per hour.",
    },
    "source_silent_last_form": "The last one came at {time}.",
    "source_silent_usual_telephony": {
        "one": "At this time there is usually {n} call per hour.",
        "other": "At this time there are usually {n} calls per hour.",
    },
    "source_silent_last_telephony": "The last one came at {time}.",
    "source_silent_todo": "Check that the source works and sends to the address of leadhub: {where}",
    "source_silent_todo_form": "Check the site and the form.",
    "source_silent_todo_telephony": "Call the number yourself and check the webhook of the PBX: {where}",
    "source_silent_over": '🟢 "{name}" sends again',
}
