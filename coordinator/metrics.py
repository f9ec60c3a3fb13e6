"""The figures for Prometheus: pure text of what is on record, and a small server that shows it.

The database is the one truth, so the numbers are read from it and survive a restart of the
coordinator; there is no counter in this process that could disagree with ``campaign status``.
"""

import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from stage2fuzz.findings.campaigns import Figures

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
ORDER_STATES: Final = ("ready", "leased", "committed", "poisoned", "cancelled")


def exposition(every: Iterable[Figures]) -> str:
    """The text exposition format: one family of samples after the other."""
    figures = list(every)
    families: list[tuple[str, str, str, list[tuple[str, float]]]] = [
        ("workers", "gauge", "Workers alive", [("", figures[0].workers if figures else 0)]),
        ("slots", "gauge", "Orders they run at once", [("", figures[0].slots if figures else 0)]),
    ]
    of_campaign: tuple[tuple[str, str, str, Callable[[Figures], float]], ...] = (
        ("schedules_total", "counter", "Schedules run", lambda f: f.campaign.schedules),
        ("fuzz_seconds_total", "counter", "Time spent fuzzing", lambda f: f.campaign.fuzz_seconds),
        ("elapsed_seconds", "gauge", "Running time", lambda f: f.campaign.elapsed),
        ("features", "gauge", "Interleaving features seen", lambda f: f.features),
        ("inputs", "gauge", "Corpus inputs kept", lambda f: f.inputs),
        ("killers", "gauge", "Inputs that killed a process", lambda f: f.killers),
        ("findings", "gauge", "Findings, by signature", lambda f: f.campaign.findings),
        ("failures", "gauge", "Orders failed in a row", lambda f: f.campaign.failures),
        ("orders_again_total", "counter", "Claims beyond the first", lambda f: f.again),
    )
    for name, kind, text, value in of_campaign:
        samples = [(f'{{campaign="{f.campaign.spec.name}"}}', value(f)) for f in figures]
        families.append((name, kind, text, samples))
    orders = [
        (f'{{campaign="{f.campaign.spec.name}",state="{state}"}}', f.leases.get(state, 0))
        for f in figures
        for state in ORDER_STATES
    ]
    families.append(("orders", "gauge", "Orders by state", [(k, float(v)) for k, v in orders]))
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP stage2fuzz_{name} {text}.", f"# TYPE stage2fuzz_{name} {kind}"]
        lines += [f"stage2fuzz_{name}{labels} {value:.10g}" for labels, value in samples]
    return "\n".join([*lines, ""])


class MetricsServer:
    """Serves ``/metrics`` and ``/healthz`` from a thread of its own, read-only."""

    def __init__(self, address: tuple[str, int]) -> None:
        """``address`` is loopback unless the person who runs it says otherwise."""
        self.text = exposition(())
        self.alive: Callable[[], bool] = lambda: True
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    page.answer(self, 200, page.text)
                elif self.path == "/healthz":
                    page.answer(self, *((200, "ok\n") if page.alive() else (503, "stuck\n")))
                else:
                    page.answer(self, 404, "/metrics or /healthz\n")

            def log_message(self, *_arguments: object) -> None:
                """Requests are no news."""

        self.server = ThreadingHTTPServer(address, Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def answer(handler: BaseHTTPRequestHandler, status: int, text: str) -> None:
        """One plain answer."""
        body = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", CONTENT_TYPE)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
