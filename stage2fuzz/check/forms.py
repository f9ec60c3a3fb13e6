"""What a check says in the forms that others read: JSON, SARIF, JUnit XML, Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stage2fuzz import __version__
from stage2fuzz.case.text import format_case
from stage2fuzz.check import proofs
from stage2fuzz.check.result import CheckResult, Effect, VersionRow, grouped
from stage2fuzz.oracles.catalogue import CATALOGUE
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.report.columns import interleaving
from stage2fuzz.report.junit import SuiteCase, junit
from stage2fuzz.report.message import WIDTH
from stage2fuzz.report.sarif import Remark, sarif
from stage2fuzz.run import Outcome
from stage2fuzz.source import SourceLine, route
from stage2fuzz.studies.comparison import Difference


@dataclass(frozen=True, slots=True)
class Exposition:
    """A new fault as it is shown: its run, and the line that a reviewer should look at."""

    effect: Effect
    others: int
    """More faces of it."""
    outcome: Outcome | None
    """None where its process died."""

    @property
    def violation(self) -> Violation:
        """As the run that is shown says it, with its place in the tree."""
        shown = self.outcome.violations if self.outcome is not None else ()
        same = (each for each in shown if each.signature == self.effect.signature)
        return next(same, self.effect.exhibit.violation)

    @property
    def place(self) -> SourceLine | None:
        """The line of the user's tree that proves it; None where the engine knows none."""
        source = self.violation.source
        return source[0] if source else None

    @property
    def where(self) -> str:
        """The same in words, with the call that led there; empty where it is not known."""
        return route(self.violation.source)

    @property
    def head(self) -> str:
        """Oracle, rule, category and how many faces."""
        violation = self.violation
        ways = f", {self.others + 1} ways" if self.others else ""
        return f"{violation.oracle} {violation.rule} ({violation.category}){ways}"

    def steps(self, width: int = WIDTH) -> str:
        """The interleaving; empty where there is none."""
        if self.outcome is None:
            return ""
        run, shown = self.outcome, [self.violation]
        return interleaving(run.case, run.events, shown, width, stacks=run.stacks)


def cell(row: VersionRow, oracle: str) -> str:
    """How many judged runs showed an oracle's violations, and after how many schedules first."""
    if row.survey is None:
        return "?"
    found = [each for each in row.survey.exhibits.values() if each.violation.oracle == oracle]
    if not found:
        return "-"
    return f"{sum(each.times for each in found):,} #{min(each.at for each in found):,}"


def to_record(result: CheckResult, shown: Sequence[Exposition]) -> dict[str, object]:
    """For a program."""
    expositions = {each.effect.signature: each for each in shown}
    return {
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 1),
        "changes_compiled_code": result.changes,
        "rows": [_row_record(row) for row in result.rows],
        "new": [_effect_record(each, expositions) for each in result.new],
        "gone": [_effect_record(each, {}) for each in result.gone],
        "passing": [_effect_record(each, {}) for each in result.passing],
        "behaviour": [each.to_record() for each in result.behaviour()],
        "untried": [each.to_record() for each in result.untried()],
        "compared": result.comparison.runs if result.comparison is not None else 0,
        "proofs": proofs.to_record(result.proofs),
        "known": [each.violation.signature for each in result.known()],
        "inconclusive": list(result.shortfalls),
        "unseen": list(result.unseen),
    }


def to_whole(records: Sequence[dict[str, object]]) -> dict[str, object]:
    """The records of all parts of a check as one: EL2's, if there is one, within stage 2's."""
    return {**records[0], "el2": next(iter(records[1:]), None)}


def _row_record(row: VersionRow) -> dict[str, object]:
    version, made = row.version, row.survey
    return {
        "name": version.name,
        "title": version.title,
        "engine": version.engine,
        "commit": version.commit.id if version.commit is not None else "",
        "build": version.library.key if version.library is not None else "",
        "failure": version.failure,
        "same_as": row.same_as,
        "schedules": made.runs if made is not None else 0,
        "inconclusive": made.inconclusive if made is not None else 0,
        "signatures": sorted(made.exhibits) if made is not None else [],
    }


def _effect_record(effect: Effect, shown: Mapping[str, Exposition]) -> dict[str, object]:
    violation = effect.exhibit.violation
    exposition = shown.get(effect.signature)
    place = exposition.place if exposition is not None else None
    return {
        "oracle": violation.oracle,
        "rule": violation.rule,
        "category": str(violation.category),
        "signature": violation.signature,
        "verdict": violation.verdict,
        "by": effect.by.name,
        "commit": effect.by.commit.id if effect.by.commit is not None else "",
        "shown_after": effect.exhibit.at,
        "not_shown_in": effect.tried,
        "case": format_case(effect.exhibit.case),
        "file": place.file if place is not None else "",
        "line": place.line if place is not None else 0,
    }


def to_sarif(result: CheckResult, shown: Sequence[Exposition]) -> str:
    """New faults as new, what went as absent, the rest as unchanged."""
    places = {each.effect.signature: each.place for each in shown}
    remarks = [
        Remark.of(each.exhibit.violation, state, places.get(each.signature))
        for state, effects in (("new", result.new), ("absent", result.gone))
        for each in effects
    ]
    remarks += [Remark.of(each.violation, "unchanged") for each in result.known()]
    return sarif(remarks, __version__)


def to_junit(result: CheckResult, shown: Sequence[Exposition]) -> str:
    """A test for each version that must build, and one for each oracle."""
    tests = []
    for row in result.rows:
        failure = f"does not build: {row.version.failure}" if row.version.failure else ""
        tests.append(SuiteCase("build", f"{row.version.name} {row.version.title}", failure))
    looked = result.changes and result.head.survey is not None
    for oracle, rule, *_ in CATALOGUE:
        mine = [each for each in shown if each.effect.exhibit.violation.oracle == oracle]
        failure = "\n".join(
            f"{each.effect.exhibit.violation.verdict}\n{each.steps()}\n"
            f"{format_case(each.effect.exhibit.case)}"
            for each in mine
        )
        skipped = "" if looked else "the compiled code is the same"
        tests.append(
            SuiteCase("oracles", f"{oracle} {rule}", failure, skipped if not failure else "")
        )
    for proof in result.proofs:
        told = [proof.head.found[each][0].verdict for each in proof.came]
        skipped = "" if told else proof.unsearched
        tests.append(SuiteCase("proofs", proof.name, "\n".join(told), skipped))
    return junit("stage2fuzz check", tests, result.seconds)


def to_markdown(result: CheckResult, shown: Sequence[Exposition]) -> str:
    """For a pull request, an issue, or the summary of a CI job."""
    parts = [f"# stage2fuzz check: {answer(result)}"]
    oracles = result.moving()
    if oracles:
        rows = ["| | patch | " + " | ".join([*oracles, "new"]) + " |"]
        rows.append("|---" * (3 + len(oracles)) + "|")
        for row in result.rows:
            cells = [row.version.name, row.version.title.replace("|", r"\|")]
            cells += [cell(row, each) for each in oracles]
            rows.append("| " + " | ".join([*cells, news(result, row)]) + " |")
        parts += ["\n".join(rows), CELLS]
    if result.changes and result.steady():
        parts.append(f"As before: {', '.join(result.steady())}.")
    for each in shown:
        violation, by = each.effect.exhibit.violation, each.effect.by
        where = f" At `{each.where}`." if each.where else ""
        parts.append(f"## New with {by.name} ({by.title}): {each.head}")
        parts.append(f"{violation.verdict}.{where} {absence(each.effect, 'base')}")
        if each.outcome is not None:
            parts.append("```text\n" + each.steps() + "```")
        parts.append("<details><summary>The case, for `stage2fuzz replay FILE`</summary>\n")
        parts.append("```text\n" + format_case(each.effect.exhibit.case) + "```\n\n</details>")
    for title, effects, side in (
        ("Went away", result.gone, "head"),
        ("Only between base and head", result.passing, "base or head"),
    ):
        if effects:
            parts.append(f"## {title}")
            parts.append("\n".join(f"- {line}" for line in lines(effects, side)))
    if result.proofs:
        parts.append(f"## Proofs\n\n{proofs.summary(result.proofs)}.")
        parts += ["\n".join(f"- {line}" for line in proofs.verdicts(result.proofs))]
    parts += _open_ends(result)
    return "\n\n".join(filter(None, parts)) + "\n"


def _open_ends(result: CheckResult) -> Iterator[str]:
    """What broke no rule, what nobody tried or looked at, and why that means little."""
    if result.behaviour():
        yield "## Behaves otherwise"
        yield "\n".join(f"- {otherwise(each)}" for each in result.behaviour())
    if result.unseen:
        yield not_seen(result)
    if result.untried():
        yield "## May behave otherwise"
        yield "\n".join(f"- {line}" for line in maybe(result))
    if result.shortfalls:
        yield "## Inconclusive"
        yield "\n".join(f"- {line}" for line in result.shortfalls)


CELLS = (
    "Each cell: how many judged runs showed it, and after how many schedules of its scenario first."
)


def answer(result: CheckResult) -> str:
    """The whole check in a few words."""
    if not result.changes and not result.shortfalls:
        return "the compiled code is the same"
    new, gone = len(grouped(result.new)), len(grouped(result.gone))
    told = f"{new} new" if new else "nothing new"
    told += f", {gone} went away" if gone else ""
    return told + (", inconclusive" if result.shortfalls else "")


def not_seen(result: CheckResult) -> str:
    """What was changed and is in no engine."""
    return f"Not looked at, since no engine is made of them: {', '.join(result.unseen)}."


def news(result: CheckResult, row: VersionRow) -> str:
    """The oracles of the faults that came with a row."""
    came = {
        each.exhibit.violation.oracle
        for each in (*result.new, *result.passing)
        if each.by.name == row.version.name
    }
    return " ".join(sorted(came))


def lines(effects: Sequence[Effect], side: str) -> list[str]:
    """A line for each group of effects."""
    told = []
    for group in grouped(effects):
        first, violation = group[0], group[0].exhibit.violation
        ways = f", {len(group)} ways" if len(group) > 1 else ""
        told.append(
            f"{violation.oracle} {violation.rule}{ways}, with {first.by.name}: {violation.verdict}"
            f" ({absence(first, side)})"
        )
    return told


def otherwise(difference: Difference) -> str:
    """A difference that breaks no rule, in a line."""
    return (
        f"{difference.change}, {difference.topic}: {difference.verdict} ({difference.runs:,} runs)"
    )


def maybe(result: CheckResult) -> list[str]:
    """What was not tried to its end, in a line each, and how to try it."""
    told = [otherwise(each) for each in result.untried()]
    if told:
        names = " ".join(f"--engine {row.version.engine}" for row in (result.base, result.head))
        told.append(f"to try them: stage2fuzz compare {names} --seconds 120 untried-N.case")
    return told


def absence(effect: Effect, side: str) -> str:
    """How well it is known that the other side does not show a fault."""
    shown = effect.exhibit
    if shown.searched and shown.absent:
        return (
            f"Shown by a search of {shown.searched!r}; every interleaving of it was searched on "
            f"the {side}, and none shows it"
        )
    if shown.searched:
        return f"Shown by a search of {shown.searched!r}; not on the {side} in {effect.tried:,}"
    return (
        f"Shown after {effect.exhibit.at:,} schedules of its scenario; not on the {side} in "
        f"{effect.tried:,}"
    )
