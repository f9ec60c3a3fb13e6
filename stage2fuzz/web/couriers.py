"""Couriers: a webhook and a mail, each one message at a time, or a line that says why not."""

import hashlib
import hmac
import json
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import make_msgid
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from stage2fuzz.errors import InputError
from stage2fuzz.web.notifier import Message

SECONDS: Final = 20.0
"""For a server to take a message."""
SIGNATURE: Final = "X-Stage2fuzz-Signature"
_PORTS: Final = {"smtp": 25, "smtps": 465, "submission": 587}


class _NoRedirect(HTTPRedirectHandler):
    """What we were told to tell is told there and nowhere else."""

    def redirect_request(self, *_given: Any) -> None:
        """Follow nobody."""


class Webhook:
    """POSTs each message as JSON; with a secret it is signed, so that its reader knows us."""

    def __init__(self, url: str, secret: str = "") -> None:
        """InputError for what is no address of HTTP; it is not repeated, being often a secret."""
        parts = _parts(url)
        if parts is None or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise InputError("--webhook", "is no address", "https://HOST/PATH")
        self._url, self._secret = url, secret
        self.name = f"{parts.scheme}://{parts.hostname}"
        """Without its path, which is often a secret."""
        self.channel = _channel("webhook", url)
        self._opener = build_opener(_NoRedirect)

    def send(self, message: Message) -> None:
        """Deliver it. InputError where the server does not answer with a code of success."""
        data = json.dumps(message.to_record()).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "stage2fuzz"}
        if self._secret:
            digest = hmac.new(self._secret.encode(), data, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        try:
            with self._opener.open(Request(self._url, data, headers), timeout=SECONDS):
                pass
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            raise InputError(self.name, f"did not take the message ({error})") from None


class MailCourier:
    """Sends each message to one address as plain text over SMTP: who was told is known for each."""

    def __init__(self, server: str, sender: str, to: str) -> None:
        """``server`` is ``smtp://HOST[:PORT]``, or ``submission://`` (with STARTTLS) or
        ``smtps://`` and ``[USER:PASSWORD@]HOST[:PORT]``. InputError for what is none, or no
        address.
        """
        parts, right = _parts(server), "smtp://HOST, submission://USER:PASSWORD@HOST, smtps://..."
        if parts is None or parts.scheme not in _PORTS:
            raise InputError("--smtp", "is no address of a mail server", right)
        if parts.scheme == "smtp" and parts.username:
            raise InputError("--smtp", "would send a password in the clear", right)
        for address in (sender, to):
            if "@" not in address or not address.isprintable() or set(address) & set(" ,"):
                raise InputError("--mail", f"{address[:80]!r} is no address", "name@host")
        self._scheme, self._host = parts.scheme, str(parts.hostname)
        self._port = parts.port or _PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender, self.name = sender, to
        self.channel = _channel("mail", self.name)

    def send(self, message: Message) -> None:
        """Deliver it. InputError where the server did not take it."""
        mail = EmailMessage()
        mail["Subject"] = message.subject[:200]
        mail["From"], mail["To"] = self._sender, self.name
        mail["Message-ID"] = make_msgid("stage2fuzz", self._sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        try:
            server = self._connected()
            try:
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(mail)
            finally:
                with suppress(OSError, smtplib.SMTPException):
                    server.quit()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(self._host, f"did not take the mail ({said})") from None

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._scheme == "smtps":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
        if self._scheme == "submission":
            try:
                server.starttls(context=context)
            except (OSError, smtplib.SMTPException):
                server.close()
                raise
        return server


def _parts(address: str) -> SplitResult | None:
    """Its parts; None where it has no host, a port that is none, or what no address has."""
    try:
        parts = urlsplit(address)
        sound = address.isascii() and address.isprintable() and " " not in address
        return parts if sound and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _channel(kind: str, address: str) -> str:
    """What the database knows a channel by."""
    return f"{kind} {hashlib.sha256(address.encode()).hexdigest()[:40]}"
