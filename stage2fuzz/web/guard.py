"""Who may do what: a token where the page is not for this machine alone, and no forged forms.

A browser shows the token as a cookie, a program as ``Authorization: Bearer``. A form carries a
word that only a page of ours can know, and its Origin must be ours. Each answer forbids the browser
to load, run or frame anything that is not ours.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

COOKIE: Final = "stage2fuzz"
OPEN_PATHS: Final = ("/login", "/static/", "/healthz")
SAFE: Final = ("GET", "HEAD")
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
MOST_FORM: Final = 64 << 10
"""Bytes of a form."""
Next = Callable[[Request], Awaitable[Response]]


class Guard:
    """The rules of one server."""

    def __init__(self, token: str, hosts: tuple[str, ...]) -> None:
        """Without a ``token`` everybody who gets here may read and write: loopback alone.

        ``hosts`` are the names under which we may be asked, which ends DNS rebinding; none: any.
        """
        self._token, self._hosts = token, hosts
        self._key = secrets.token_bytes(32)

    async def __call__(self, request: Request, go_on: Next) -> Response:
        """Answer, or refuse to."""
        refusal = self._refusal(request)
        response = refusal if refusal is not None else await go_on(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def admits(self, token: str) -> bool:
        """Whether a token is the one that was set."""
        return hmac.compare_digest(self._digest(token), self._digest(self._token))

    def cookie(self) -> str:
        """What a browser keeps in place of the token."""
        return hmac.new(self._key, self._token.encode(), hashlib.sha256).hexdigest()

    def word(self) -> str:
        """What a form of ours carries."""
        return hmac.new(self._key, b"form", hashlib.sha256).hexdigest()

    def wrote(self, word: str) -> bool:
        """Whether a form is ours."""
        return hmac.compare_digest(word.encode(), self.word().encode())

    def _digest(self, text: str) -> bytes:
        return hashlib.sha256(text.encode()).digest()

    def _refusal(self, request: Request) -> Response | None:
        host = (request.headers.get("host") or "").rsplit(":", 1)[0]
        if self._hosts and host not in self._hosts:
            return _refused("this server does not answer to that name", 421)
        if request.method not in SAFE and not _of_our_own(request.headers):
            return _refused("the form comes from another page", 403)
        if not self._token or request.url.path.startswith(OPEN_PATHS) or self._knows(request):
            return None
        if request.url.path.startswith(("/api", "/feed")):
            return _refused("a token is needed: Authorization: Bearer TOKEN", 401)
        return RedirectResponse("/login", 303)

    def _knows(self, request: Request) -> bool:
        kept = request.cookies.get(COOKIE, "")
        if kept and hmac.compare_digest(kept.encode(), self.cookie().encode()):
            return True
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.admits(token.strip())


def _of_our_own(headers: Headers) -> bool:
    """Whether a browser says that one of our pages sent this, or no browser did."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") in (None, "same-origin", "none")
    return origin.partition("://")[2] == headers.get("host")


def _refused(why: str, code: int) -> Response:
    return JSONResponse({"error": why}, code)
