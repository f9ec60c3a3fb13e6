"""stage2fuzz serve: what was found, as a page."""

import ipaddress
import sys
from typing import Annotated, Final

import typer

from stage2fuzz.cli.options import DEFAULT_DATABASE, Database, check_range
from stage2fuzz.cli.output import say
from stage2fuzz.cli.program import program, shown
from stage2fuzz.cli.stores import open_store
from stage2fuzz.errors import InputError

PORT: Final = 8017
TOKEN: Final = "STAGE2FUZZ_WEB_TOKEN"
LEAST_TOKEN: Final = 16
NAMES: Final = ("localhost", "127.0.0.1", "[::1]", "::1")
"""Names under which this machine alone is reached."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0: any that is free.")] = PORT,
    token: Annotated[
        str, typer.Option(envvar=TOKEN, help="What visitors must know; see its variable.")
    ] = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Show campaigns and findings as a page, and as JSON for programs."""
    check_range("--port", port, 0, 65535)
    local = _is_local(host)
    if not local and len(token) < LEAST_TOKEN:
        right = f"a token of {LEAST_TOKEN} characters in {TOKEN}"
        raise InputError("--host", f"{host} can be reached by others", right)
    try:
        import uvicorn

        from stage2fuzz.web.app import application
    except ImportError as error:
        right = "pip install 'stage2fuzz[web]'"
        raise InputError("serve", f"{error.name} is not installed", right) from None
    with open_store(database) as store:
        app = application(store, token, NAMES if local and not token else (), program())
        config = uvicorn.Config(
            app, host, port, log_level="warning", server_header=False, date_header=False
        )
        server = uvicorn.Server(config)
        sockets = [config.bind_socket()]
        sockets[0].listen()  # who reads the address below may come at once
        where = sockets[0].getsockname()[1]
        say(f"http://{host}:{where}/ shows {shown(database)}; end it with Ctrl+C")
        sys.stdout.flush()
        server.run(sockets)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
