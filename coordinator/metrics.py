"""The figures for Prometheus: what is on record, and a small server that shows it.

The database is the one truth, so the numbers are read from it and survive a restart of the
coordinator; there is no counter in this process that could disagree with ``campaign status``.
"""

import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import MetricsHandler
from prometheus_client.registry import Collector

from stage2fuzz.findings.figures import CampaignFigures
from stage2fuzz.findings.states import LeaseState

FigureReader = Callable[[CampaignFigures], float]
COUNTERS: Final[dict[str, tuple[str, FigureReader]]] = {
    "schedules": ("Schedules run.", lambda f: f.campaign.schedules),
    "fuzz_seconds": ("Time spent fuzzing.", lambda f: f.campaign.fuzz_seconds),
    "orders_again": ("Claims of orders beyond the first.", lambda f: f.again),
}
"""Name without ``stage2fuzz_`` and ``_total`` -> what it says, how it is read; per campaign."""
GAUGES: Final[dict[str, tuple[str, FigureReader]]] = {
    "elapsed_seconds": ("Running time.", lambda f: f.campaign.elapsed),
    "features": ("Interleaving features seen.", lambda f: f.features),
    "inputs": ("Corpus inputs kept.", lambda f: f.inputs),
    "killers": ("Inputs that killed a process.", lambda f: f.killers),
    "findings": ("Findings, by signature.", lambda f: f.campaign.findings),
    "failures": ("Orders failed in a row.", lambda f: f.campaign.failures),
}


class RecordCollector(Collector):
    """Hands the last figures that were read to whoever scrapes."""

    def __init__(self) -> None:
        self.every: list[CampaignFigures] = []

    def collect(self) -> Iterator[Metric]:
        """One family of samples after the other."""
        workers = self.every[0].workers if self.every else 0
        slots = self.every[0].slots if self.every else 0
        yield GaugeMetricFamily("stage2fuzz_workers", "Workers alive.", workers)
        yield GaugeMetricFamily("stage2fuzz_slots", "Orders they run at once.", slots)
        for kind, table in ((CounterMetricFamily, COUNTERS), (GaugeMetricFamily, GAUGES)):
            for name, (text, value) in table.items():
                family = kind(f"stage2fuzz_{name}", text, labels=["campaign"])
                for each in self.every:
                    family.add_metric([each.campaign.name], value(each))
                yield family
        orders = GaugeMetricFamily(
            "stage2fuzz_orders", "Orders by state.", labels=["campaign", "state"]
        )
        for each in self.every:
            for state in LeaseState:
                orders.add_metric([each.campaign.name, state], each.leases.get(state, 0))
        yield orders


class MetricsServer:
    """Serves ``/metrics`` and ``/healthz`` from a thread of its own, read-only."""

    def __init__(self, address: tuple[str, int]) -> None:
        """``address`` is loopback unless the person who runs it says otherwise."""
        self.record = RecordCollector()
        self.alive: Callable[[], bool] = lambda: True
        registry = CollectorRegistry()
        registry.register(self.record)
        page = self

        class Handler(MetricsHandler.factory(registry)):  # type: ignore[misc]
            def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                if self.path == "/metrics":
                    super().do_GET()
                elif self.path == "/healthz":
                    self.answer(*((200, "ok\n") if page.alive() else (503, "stuck\n")))
                else:
                    self.answer(404, "/metrics or /healthz\n")

            def answer(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(address, Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
