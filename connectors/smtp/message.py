"""A notice as an e-mail: plain text and HTML, threaded by its topic."""

import hashlib
import re
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape, unescape

from connectors.notify import MessageRef, Notice
from connectors.smtp.settings import SmtpSettings

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def compose(notice: Notice, settings: SmtpSettings, now: datetime, reply_to: MessageRef | None = None) -> EmailMessage:
    """The mail. Its Message-ID is a digest of what it says and when, so most readers show a double once."""
    text = _plain(notice.html)
    subject = " ".join(_plain(notice.headline).split())
    domain = settings.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["Subject"] = subject[:200]
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{_digest(notice.topic, notice.html)}.{int(now.timestamp()) // 3600}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if reply_to is not None and reply_to.message_id:
        mail["In-Reply-To"] = reply_to.message_id
        mail["References"] = reply_to.message_id
    links = [(button.text, button.url) for button in notice.buttons if button.url]
    mail.set_content("\n".join([text, *(f"\n{label}: {url}" for label, url in links)]) + "\n")
    shown = notice.html.replace("\n", "<br>\n")
    shown += "".join(f'<br>\n<a href="{escape(url)}">{escape(label)}</a>' for label, url in links)
    mail.add_alternative(f"<html><body>{shown}</body></html>\n", subtype="html")
    return mail


def _plain(html: str) -> str:
    return unescape(_TAG.sub("", html))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()
