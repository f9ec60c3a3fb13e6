"""The application: which page is where, and what each is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from stage2fuzz import __version__
from stage2fuzz.case.json_form import SCHEMA as CASE_SCHEMA
from stage2fuzz.case.json_form import to_json
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.engine import kind_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings.coverage import features_by_stream
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.oracles.catalogue import CATALOGUE
from stage2fuzz.oracles.violation import Category
from stage2fuzz.process.end import DiedError
from stage2fuzz.prove.request import Knowledge
from stage2fuzz.report.fragment import run_table
from stage2fuzz.session.display import FORMS, Display, ReportForm, display
from stage2fuzz.session.explain import explain, oracle_named
from stage2fuzz.web import records
from stage2fuzz.web.course import course_svg
from stage2fuzz.web.coverage import FileCoverage, lines_of
from stage2fuzz.web.coverage import to_record as coverage_record
from stage2fuzz.web.excerpt import edition_of, excerpt_of, file_of
from stage2fuzz.web.feed import feed
from stage2fuzz.web.guard import COOKIE, MOST_FORM, Guard
from stage2fuzz.web.runner import Runner
from stage2fuzz.web.schema import SCHEMA

HERE: Final = Path(__file__).parent
KEPT: Final = 128
"""Runs that are kept for the next look at them."""
MEDIA: Final = {
    ReportForm.MAIL: ("text/plain", "txt"),
    ReportForm.MD: ("text/plain", "md"),
    ReportForm.HTML: ("text/html", "html"),
    ReportForm.SVG: ("image/svg+xml", "svg"),
    ReportForm.JSON: ("application/json", "json"),
    ReportForm.SARIF: ("application/sarif+json", "sarif"),
    ReportForm.JUNIT: ("application/xml", "xml"),
}
DECISIONS: Final = ("triaged", "invalid", "fixed", "duplicate")


class Pages:
    """Every page of one database."""

    def __init__(self, store: Store, guard: Guard, program: str, asks_for_token: bool) -> None:
        """``program`` is how a person types our name."""
        self._store, self._guard, self._program = store, guard, program
        self._asks = asks_for_token
        self._runner = Runner()
        self._run = lru_cache(KEPT)(self._run_now)
        self._lines_of = lru_cache(8)(self._lines_now)
        self._explain = lru_cache(KEPT)(lambda name: explain(name, self._runner.run))
        self._templates = Environment(
            loader=PackageLoader("stage2fuzz.web"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> Sequence[Route | Mount]:
        """Where each page is."""
        return (
            Route("/", self.overview),
            Route("/findings", self.findings),
            Route("/findings/{number:int}", self.finding),
            Route("/findings/{number:int}/triage", self.triage, methods=["POST"]),
            Route("/findings/{number:int}/{file}", self.download),
            Route("/campaigns/{name}", self.campaign),
            Route("/campaigns/{name}/course.svg", self.course),
            Route("/coverage", self.coverage),
            Route("/coverage/lines", self.lines),
            Route("/api/coverage", self.api_coverage),
            Route("/proofs", self.proofs),
            Route("/api/proofs", self.api_proofs),
            Route("/rules", self.rules),
            Route("/rules/{oracle}", self.rule),
            Route("/login", self.login, methods=["GET", "POST"]),
            Route("/healthz", self.health),
            Route("/feed.atom", self.feed),
            Route("/api/findings", self.api_findings),
            Route("/api/findings/{number:int}", self.api_finding),
            Route("/api/campaigns", self.api_campaigns),
            Route("/api/campaigns/{name}", self.api_campaign),
            Route("/api/workers", self.api_workers),
            Route("/api/schema", self.api_schema),
            Route("/api/case-schema", self.api_case_schema),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        )

    def close(self) -> None:
        """End the process that runs cases."""
        self._runner.close()

    def overview(self, _request: Request) -> Response:
        """Campaigns, workers, and how many findings there are of each kind."""
        found = records.findings(self._store)
        kinds = {
            str(kind): sum(1 for each in found if each["category"] == kind) for kind in Category
        }
        return self._page(
            "overview.html",
            campaigns=records.campaigns(self._store),
            workers=records.workers(self._store),
            kinds=kinds,
            newest=sorted(found, key=lambda each: each["first_seen"], reverse=True)[:8],
        )

    def findings(self, request: Request) -> Response:
        """The list, with its filters."""
        asked = _asked(request)
        found = self._sought(asked)
        return self._page(
            "findings.html",
            found=found,
            causes=records.by_cause(found) if asked["show"] != "findings" else (),
            asked=asked,
            states=list(State),
            categories=[str(each) for each in Category],
            oracles=[row[0] for row in CATALOGUE],
            engines=sorted({each.engine for each in self._store.list()}),
        )

    def finding(self, request: Request) -> Response:
        """One finding: its run, step by step, and all that is known of it."""
        finding = self._finding(request)
        view = request.query_params.get("case", "")
        first, small = ("as it was found", finding.case_text), ("minimised", finding.minimised)
        chosen = [small if finding.minimised and view != "raw" else first]
        others = {str(number): each for number, each in enumerate(finding.examples, 1)}
        if view in others:
            chosen = [(f"example {view}", others[view].case_text)]
        if view == "both" and finding.minimised:
            chosen = [first, small]
        runs = [self._shown(finding, *each, number) for number, each in enumerate(chosen)]
        shown = runs[-1]["shown"]
        return self._page(
            "finding.html",
            each=records.whole_record(finding),
            view=view if finding.minimised or view in others else "raw",
            text=chosen[-1][1],
            runs=runs,
            violations=shown.outcome.violations if shown is not None else (),
            proofs=records.proofs_about_finding(self._store, finding),
            promise={row[0]: row[3] for row in CATALOGUE}.get(finding.oracle, ""),
            forms=[(str(form), MEDIA[form][1]) for form in ReportForm],
            decisions=DECISIONS,
            word=self._guard.word(),
        )

    async def triage(self, request: Request) -> Response:
        """What a person decided."""
        form = await _form(request)
        number = int(request.path_params["number"])
        if not self._guard.wrote(form.get("word", "")):
            return JSONResponse({"error": "the form is not ours, or the server was restarted"}, 403)
        state = form.get("state", "")
        duplicate = form.get("duplicate_of", "").lstrip("#")
        if duplicate and not duplicate.isdecimal():
            raise InputError("duplicate of", f"{duplicate[:20]!r} is no number", "a finding's")
        self._store.triage(
            number,
            State(state) if state in DECISIONS else None,
            form.get("note", ""),
            form.get("owner"),
            form.get("label"),
            int(duplicate[:9]) if duplicate else None,
            form.get("fixed_in", ""),
        )
        return RedirectResponse(f"/findings/{number}", 303)

    def download(self, request: Request) -> Response:
        """A finding as a file: ``fault.case`` or ``.json``, ``first.case``, ``example-N.case``,
        or ``report.FORM``."""
        finding, name = self._finding(request), str(request.path_params["file"])
        cases = {"fault.case": finding.reproducer, "first.case": finding.case_text}
        for number, each in enumerate(finding.examples, 1):
            cases[f"example-{number}.case"] = each.case_text
        if name == "fault.json":
            record = to_json(parse(finding.reproducer, f"finding {finding.id}"))
            text = json.dumps(record, indent=1) + "\n"
            return _file(text, "application/json", f"finding-{finding.id}.json")
        if name in cases:
            kind = "" if name == "fault.case" else f"-{name.removesuffix('.case')}"
            return _file(cases[name], "text/plain", f"finding-{finding.id}{kind}.case")
        wanted = [form for form in ReportForm if name == f"report.{MEDIA[form][1]}"]
        if not wanted:
            raise InputError(name[:40], "is no file of a finding", "fault.case")
        shown = self._display(finding, finding.reproducer)
        kind, ending = MEDIA[wanted[0]]
        return _file(FORMS[wanted[0]]([shown]), kind, f"finding-{finding.id}.{ending}")

    def campaign(self, request: Request) -> Response:
        """One campaign: figures, course, findings."""
        record = records.campaign(self._store, str(request.path_params["name"]))
        found = record.pop("found")
        record.pop("course")
        return self._page("campaign.html", each=record, found=found)

    def course(self, request: Request) -> Response:
        """Its course as a picture."""
        record = records.campaign(self._store, str(request.path_params["name"]))
        return Response(course_svg(record["course"]), media_type="image/svg+xml")

    def coverage(self, _request: Request) -> Response:
        """Interleaving features by campaign, and the trees whose lines can be looked at."""
        streams = features_by_stream(self._store.engine)
        return self._page("coverage.html", streams=streams, trees=self._trees(streams))

    def lines(self, request: Request) -> Response:
        """Which lines of a tree the kept cases run."""
        engine, cases, files = self._covered(request)
        text = {each.file: file_of(engine, each.file) for each in files}
        return self._page("lines.html", engine=engine, cases=cases, files=files, text=text)

    def api_coverage(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(coverage_record(*self._covered(request)))

    def proofs(self, request: Request) -> Response:
        """The trees that something was proved of, and of one tree each scenario."""
        engine, build = (request.query_params.get(name, "")[:300] for name in ("engine", "build"))
        trees = records.proved_trees(self._store)
        rows = records.proofs(self._store, engine, build) if engine else []
        numbers = {each.signature: each.id for each in self._store.list(engine=engine)}
        known = [str(each) for each in Knowledge]
        chosen = {"engine": engine, "build": build}
        return self._page(
            "proofs.html", trees=trees, rows=rows, numbers=numbers, knowledge=known, chosen=chosen
        )

    def api_proofs(self, request: Request) -> Response:
        """The same as JSON."""
        engine = request.query_params.get("engine", "")[:300]
        told = {"trees": records.proved_trees(self._store)}
        return JSONResponse(told | {"proofs": records.proofs(self._store, engine)})

    def rules(self, _request: Request) -> Response:
        """What each oracle promises, and how many findings break it."""
        found = [each.oracle for each in self._store.list()]
        rows = [
            {
                "oracle": row[0],
                "rule": row[1],
                "category": str(row[2]),
                "promise": row[3],
                "found": found.count(row[0]),
            }
            for row in CATALOGUE
        ]
        return self._page("rules.html", rows=rows)

    def rule(self, request: Request) -> Response:
        """One rule explained, with a run that breaks it and one that keeps it."""
        told = self._explain(oracle_named(str(request.path_params["oracle"])).oracle)
        runs = []
        for number, (name, run) in enumerate((("broken", told.broken), ("kept", told.kept))):
            if run is None:
                continue
            table = run_table(run.case, run.events, run.violations, anchor=f"step{number or ''}")
            verdict = run.violations[0].verdict if name == "broken" else ""
            shown = {"name": f"{name}, on {run.case.engine}", "verdict": verdict}
            runs.append(shown | {"table": Markup(table), "text": format_case(run.case)})
        found = len(self._store.list(oracle=told.oracle))
        return self._page("rule.html", each=told, runs=runs, found=found)

    async def login(self, request: Request) -> Response:
        """Ask for the token, and keep it as a cookie."""
        if request.method == "GET":
            return self._page("login.html", wrong=False)
        form = await _form(request)
        if not self._guard.admits(form.get("token", "")):
            await asyncio.sleep(0.5)
            return self._page("login.html", 403, wrong=True)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, self._guard.cookie(), httponly=True, samesite="strict", secure=secure
        )
        return answer

    def health(self, _request: Request) -> Response:
        """Whether the database answers."""
        return JSONResponse({"findings": self._store.count(), "version": __version__})

    def feed(self, request: Request) -> Response:
        """The newest findings, for a reader of feeds."""
        base = str(request.base_url).rstrip("/")
        text = feed(records.findings(self._store), base)
        return Response(text, media_type="application/atom+xml")

    def api_findings(self, request: Request) -> Response:
        """The list as JSON; the same filters."""
        return JSONResponse({"findings": self._sought(_asked(request))})

    def api_finding(self, request: Request) -> Response:
        """One finding as JSON."""
        finding = self._finding(request)
        proofs = records.proofs_about_finding(self._store, finding)
        return JSONResponse(records.whole_record(finding) | {"proofs": proofs})

    def api_campaigns(self, _request: Request) -> Response:
        """Every campaign as JSON."""
        return JSONResponse({"campaigns": records.campaigns(self._store)})

    def api_campaign(self, request: Request) -> Response:
        """One campaign as JSON."""
        return JSONResponse(records.campaign(self._store, str(request.path_params["name"])))

    def api_workers(self, _request: Request) -> Response:
        """Every worker as JSON."""
        return JSONResponse({"workers": records.workers(self._store)})

    def api_schema(self, _request: Request) -> Response:
        """What the records hold, as a JSON schema."""
        return JSONResponse(SCHEMA, media_type="application/schema+json")

    def api_case_schema(self, _request: Request) -> Response:
        """What a case in JSON holds, as a JSON schema."""
        return JSONResponse(CASE_SCHEMA, media_type="application/schema+json")

    def refused(self, request: Request, error: Exception) -> Response:
        """One line for what cannot be used: a page for people, JSON for programs."""
        code = 404 if "there is n" in str(error) else 400
        if request.url.path.startswith("/api"):
            return JSONResponse({"error": str(error)}, code)
        return self._page("refused.html", code, error=str(error))

    def _trees(self, streams: Sequence[tuple[str, str, str, int]]) -> list[str]:
        """The compiled trees that findings or campaigns are of."""
        names = {each.engine for each in self._store.list()} | {each[1] for each in streams}
        return sorted(name for name in names if kind_of(name).isolated)

    def _covered(self, request: Request) -> tuple[str, int, list[FileCoverage]]:
        """A tree of this database alone: a page must not compile what a visitor names."""
        engine = request.query_params.get("engine", "")[:300]
        streams = features_by_stream(self._store.engine)
        if engine not in self._trees(streams):
            raise InputError(engine or "engine", "there is none of that name here", "see /coverage")
        newest = max((each.last_seen for each in self._store.list(engine=engine)), default=0.0)
        features = sum(each[3] for each in streams if each[1] == engine)
        return engine, *self._lines_of(engine, newest, features, edition_of(engine))

    def _lines_now(
        self, engine: str, _newest: float, _features: int, _edition: str
    ) -> tuple[int, list[FileCoverage]]:
        try:
            return lines_of(self._store, engine, self._runner.lines_run)
        except DiedError as died:
            raise InputError(engine, f"its process died: {died}") from None

    def _sought(self, asked: dict[str, str]) -> list[records.WebRecord]:
        states = [State(asked["state"])] if asked["state"] in list(State) else []
        return records.findings(
            self._store, states, asked["engine"], asked["oracle"], asked["category"], asked["q"]
        )

    def _finding(self, request: Request) -> Finding:
        return self._store.get(int(str(request.path_params["number"])[:9]))

    def _shown(self, finding: Finding, name: str, text: str, number: int) -> dict[str, Any]:
        """A run with its table, or why there is none; the first table's rows are named plainly."""
        try:
            shown = self._display(finding, text)
        except InputError as error:
            return {"name": name, "shown": None, "trouble": str(error), "table": ""}
        run, excerpt = shown.outcome, excerpt_of(finding.engine)
        anchor = f"step{number or ''}"
        parts = run.case, run.events, run.violations, run.stacks
        table = run_table(*parts, excerpt=excerpt, anchor=anchor)
        return {"name": name, "shown": shown, "trouble": "", "table": Markup(table)}

    def _display(self, finding: Finding, text: str) -> Display:
        """A run of a finding's case, kept until the finding or its tree is another."""
        return self._run(finding.id, text, finding.last_seen, edition_of(finding.engine))

    def _run_now(self, number: int, text: str, _seen: float, _edition: str) -> Display:
        case = parse(text, f"finding {number}")
        return display(case, self._store.get(number), self._runner.run)

    def _page(self, name: str, code: int = 200, **told: Any) -> Response:
        about = {"program": self._program, "version": __version__, "asks": self._asks}
        return HTMLResponse(self._templates.get_template(name).render(told | about), code)


def application(
    store: Store, token: str = "", hosts: tuple[str, ...] = (), program: str = "stage2fuzz"
) -> Starlette:
    """The whole application; see ``Guard`` for ``token`` and ``hosts``."""
    guard = Guard(token, hosts)
    pages = Pages(store, guard, program, bool(token))

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        yield
        pages.close()

    return Starlette(
        lifespan=life,
        routes=list(pages.routes()),
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)],
        exception_handlers={InputError: pages.refused},
    )


def _asked(request: Request) -> dict[str, str]:
    names = ("state", "engine", "oracle", "category", "q", "show")
    return {name: request.query_params.get(name, "")[:200] for name in names}


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; InputError where it is too large or no text."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MOST_FORM:
            raise InputError("the form", "is too large", f"at most {MOST_FORM} bytes")
    try:
        fields = parse_qs(data.decode(), keep_blank_values=True, max_num_fields=32)
    except ValueError:
        raise InputError("the form", "is no text") from None
    return {name: values[-1] for name, values in fields.items()}


def _file(text: str, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=kind, headers=headers)
