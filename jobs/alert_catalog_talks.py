"""The words of alerts about conversations: notes that are not in the CRM, messages that did not reach the client."""

from collections.abc import Mapping

Entry = str | Mapping[str, str]

RU: Mapping[str, Entry] = {
    "talk_answer": "Ответ: {detail}",
    "note_failed": {
        "one": "🟡 {crm}: {n} заметка из переписки не записана",
        "few": "🟡 {crm}: {n} заметки из переписки не записаны",
        "other": "🟡 {crm}: {n} заметок из переписки не записано",
    },
    "note_failed_todo": "Сделки на месте, переписка видна в leadhub. Исправьте причину и повторите: {where}",
    "note_failed_over": "🟢 {crm}: вся переписка записана",
    "reply_failed": {
        "one": "🔴 {source}: {n} сообщение клиенту не отправлено",
        "few": "🔴 {source}: {n} сообщения клиентам не отправлены",
        "other": "🔴 {source}: {n} сообщений клиентам не отправлено",
    },
    "reply_failed_unknown": {
        "one": "Про {n} из них неизвестно, дошло ли: сам второй раз не отправлю.",
        "few": "Про {n} из них неизвестно, дошли ли: сам второй раз не отправлю.",
        "other": "Про {n} из них неизвестно, дошли ли: сам второй раз не отправлю.",
    },
    "reply_failed_todo": "Посмотрите в мессенджере. Отправить ещё раз: {retry}; не отправлять: {discard}",
    "reply_failed_over": "🟢 {source}: неотправленных сообщений больше нет",
}

EN: Mapping[str, Entry] = {
    "talk_answer": "The answer: {detail}",
    "note_failed": {
        "one": "🟡 {crm}: {n} note of a conversation is not written",
        "other": "🟡 {crm}: {n} notes of conversations are not written",
    },
    "note_failed_todo": "The deals are there, and leadhub shows what was said. Mend the cause and retry: {where}",
    "note_failed_over": "🟢 {crm}: all that was said is written",
    "reply_failed": {
        "one": "🔴 {source}: {n} message to a client was not sent",
        "other": "🔴 {source}: {n} messages to clients were not sent",
    },
    "reply_failed_unknown": {
        "one": "Of {n} of them nobody knows whether it arrived: I do not send it a second time by myself.",
        "other": "Of {n} of them nobody knows whether they arrived: I do not send them a second time by myself.",
    },
    "reply_failed_todo": "Look into the messenger. To send it again: {retry}; to let it be: {discard}",
    "reply_failed_over": "🟢 {source}: no messages are left unsent",
}
