"""The words of alerts about conversations: notes that are not in the CRM, messages that did not reach the client."""

from collections.abc import Mapping

Entry = str | Mapping[str, str]

RU: Mapping[str, Entry] = {
    "talk_answer": "Ответ: {detail}",
    "note_failed": {
        "one": "🟡 {crm}: {n} примечание к сделке не записано",
        "few": "🟡 {crm}: {n} примечания к сделкам не записаны",
        "other": "🟡 {crm}: {n} примечаний к сделкам не записано",
    },
    "note_failed_todo": "Сделки на месте, сами примечания сохранены. Исправьте причину и повторите: {where}",
    "note_failed_over": "🟢 {crm}: все примечания к сделкам записаны",
    "reply_failed": {
        "one": "🔴 {source}: {n} сообщение клиенту не отправлено",
        "few": "🔴 {source}: {n} сообщения клиентам не отправлены",
        "other": "🔴 {source}: {n} сообщений клиентам не отправлено",
    },
    "reply_unknown": {
        "one": "🔴 {source}: дошло ли {n} сообщение до клиента, неизвестно",
        "few": "🔴 {source}: дошли ли {n} сообщения до клиентов, неизвестно",
        "other": "🔴 {source}: дошли ли {n} сообщений до клиентов, неизвестно",
    },
    "reply_unknown_kept": "Сам второй раз не отправлю, чтобы клиент не получил одно и то же дважды.",
    "reply_failed_unknown": {
        "one": "Про {n} из них неизвестно, дошло ли: сам второй раз не отправлю.",
        "few": "Про {n} из них неизвестно, дошли ли: сам второй раз не отправлю.",
        "other": "Про {n} из них неизвестно, дошли ли: сам второй раз не отправлю.",
    },
    "reply_failed_todo": "Посмотрите в мессенджере. Отправить ещё раз: {retry}; не отправлять: {discard}",
    "reply_failed_look": "Посмотрите в мессенджере и решите, отправить ли ещё раз: {where}",
    "reply_failed_over": "🟢 {source}: неотправленных сообщений больше нет",
}

EN: Mapping[str, Entry] = {
    "talk_answer": "The answer: {detail}",
    "note_failed": {
        "one": "🟡 {crm}: {n} note on a deal is not written",
        "other": "🟡 {crm}: {n} notes on deals are not written",
    },
    "note_failed_todo": "The deals are there and the notes are kept. Mend the cause and retry: {where}",
    "note_failed_over": "🟢 {crm}: all notes on deals are written",
    "reply_failed": {
        "one": "🔴 {source}: {n} message to a client was not sent",
        "other": "🔴 {source}: {n} messages to clients were not sent",
    },
    "reply_unknown": {
        "one": "🔴 {source}: whether {n} message reached the client is not known",
        "other": "🔴 {source}: whether {n} messages reached the clients is not known",
    },
    "reply_unknown_kept": "I do not send it a second time by myself: the client would have it twice.",
    "reply_failed_unknown": {
        "one": "Of {n} of them nobody knows whether it arrived: I do not send it a second time by myself.",
        "other": "Of {n} of them nobody knows whether they arrived: I do not send them a second time by myself.",
    },
    "reply_failed_todo": "Look into the messenger. To send it again: {retry}; to let it be: {discard}",
    "reply_failed_look": "Look into the messenger and decide whether to send it again: {where}",
    "reply_failed_over": "🟢 {source}: no messages are left unsent",
}
