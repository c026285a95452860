"""Words of alerts about calls, in Russian and English; see `jobs.alert_catalog`."""

from collections.abc import Mapping

RU: Mapping[str, str | Mapping[str, str]] = {
    "not_called_back": {
        "one": "🟡 Никто не перезвонил: пропущенный в {time}",
        "few": "🟡 Никто не перезвонил: {n} пропущенных от одного человека, первый в {time}",
        "other": "🟡 Никто не перезвонил: {n} пропущенных от одного человека, первый в {time}",
    },
    "not_called_back_where": "«{name}», ждёт {age}.",
    "not_called_back_line": "«{name}», линия «{line}», ждёт {age}.",
    "not_called_back_tail": "Номер кончается на {tail}.",
    "not_called_back_todo": "Перезвоните: {where}",
    "not_called_back_over": "🟢 Пропущенный звонок больше не ждёт: «{name}»",
    "not_called_back_period": "Напомнил в {first}, ждать перестал в {last}.",
    "not_called_back_by_out": "Клиенту позвонили через {age} после пропущенного.",
    "not_called_back_by_in": "Клиент дозвонился сам через {age} после пропущенного.",
    "not_called_back_gave_up": "Больше не напоминаю, звонка так и не было.",
}

EN: Mapping[str, str | Mapping[str, str]] = {
    "not_called_back": {
        "one": "🟡 Nobody called back: a call missed at {time}",
        "other": "🟡 Nobody called back: {n} missed calls of one person, the first at {time}",
    },
    "not_called_back_where": '"{name}", waiting {age}.',
    "not_called_back_line": '"{name}", line "{line}", waiting {age}.',
    "not_called_back_tail": "The number ends with {tail}.",
    "not_called_back_todo": "Call back: {where}",
    "not_called_back_over": '🟢 A missed call waits no longer: "{name}"',
    "not_called_back_period": "Told at {first}, over at {last}.",
    "not_called_back_by_out": "The client was called {age} after the missed call.",
    "not_called_back_by_in": "The client got through {age} after the missed call.",
    "not_called_back_gave_up": "No more reminders; nobody called.",
}
