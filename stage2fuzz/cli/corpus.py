"""``stage2fuzz campaign export-corpus`` and ``import-corpus``: inputs as libFuzzer keeps them."""

import hashlib
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from stage2fuzz.cli.campaign import CampaignName
from stage2fuzz.cli.exits import INCONCLUSIVE
from stage2fuzz.cli.options import DEFAULT_DATABASE, Database
from stage2fuzz.cli.output import say, write
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.streams import complain
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import digest_of, files, read_bounded
from stage2fuzz.session.case_asker import CaseAsker

SECONDS: Final = 60.0
"""Without an answer for the next input; an engine may have to be built first."""


def export_corpus(
    name: CampaignName,
    folder: Annotated[Path, typer.Argument(help="Gets a folder for each target.")],
    engine: Annotated[str, typer.Option(help="Only what was kept for this engine.")] = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Write the inputs that a campaign has kept, in libFuzzer's form: files named by SHA-1."""
    from stage2fuzz.findings.campaigns import named
    from stage2fuzz.findings.corpus import Corpus

    written: dict[str, set[str]] = {}
    with open_store(database) as store, store.engine.connect() as connection:
        campaign = named(store.engine, name)
        engines = (_one_of("--engine", engine, campaign.spec.engines),) if engine else None
        for (of_engine, target), data in Corpus(connection, campaign.id).kept_data():
            if engines is None or of_engine in engines:
                file = hashlib.sha1(data, usedforsecurity=False).hexdigest()
                write(folder / target / file, data)
                written.setdefault(target, set()).add(file)
    for target, names in written.items():
        say(f"{len(names)} inputs in {folder / target}")
    if not written:
        say(f"{campaign.name} has kept no input")


def import_corpus(
    name: CampaignName,
    folder: Annotated[Path, typer.Argument(help="A libFuzzer corpus: a file an input.")],
    target: Annotated[str, typer.Option(help="The campaign's target that they are for.")],
    engine: Annotated[str, typer.Option(help="Of several engines, for this one.")] = "",
    database: Database = DEFAULT_DATABASE,
) -> None:
    """Hand a libFuzzer corpus in: each input is measured, and kept if it shows something new."""
    from stage2fuzz.findings.campaigns import named
    from stage2fuzz.findings.corpus import Corpus, Input
    from stage2fuzz.findings.coverage import pack
    from stage2fuzz.findings.leases import MAX_INPUT_BYTES

    if not folder.is_dir():
        raise InputError(str(folder), "is no folder", "a libFuzzer corpus")
    read = {path: read_bounded(path, MAX_INPUT_BYTES) for path in files(folder)}
    datas = {path: data for path, data in read.items() if data is not None}
    if not datas:
        raise InputError(str(folder), "holds no input", f"files of at most {MAX_INPUT_BYTES} bytes")
    with open_store(database) as store:
        campaign = named(store.engine, name)
        of_engine = _one_of("--engine", engine, campaign.spec.engines)
        _one_of("--target", target, campaign.spec.targets)
        with tempfile.TemporaryDirectory() as home, CaseAsker(Path(home)) as asker:
            measured, fatal = asker.features(of_engine, target, list(datas), SECONDS)
        inputs = [
            Input(of_engine, target, digest_of(datas[path]), datas[path], pack(features))
            for path, features in measured.items()
        ]
        with store.engine.begin() as connection:
            corpus = Corpus(connection, campaign.id)
            before = corpus.size()
            corpus.add(inputs)
            new = corpus.size() - before
    say(f"{new} of {len(read)} inputs handed in to {campaign.name}; {len(inputs) - new} were there")
    if len(datas) < len(read):
        complain(f"stage2fuzz: {len(read) - len(datas)} are larger than {MAX_INPUT_BYTES} bytes")
    for path, end in sorted(fatal.items()):
        complain(f"stage2fuzz: {path} ends the process that runs it: {end.how}")
    if fatal:
        raise typer.Exit(INCONCLUSIVE)


def _one_of(option: str, given: str, known: tuple[str, ...]) -> str:
    """What was given, or the only one that there is. InputError for any other."""
    if given in known:
        return given
    if not given and len(known) == 1:
        return known[0]
    problem = f"the campaign has no {given}" if given else "the campaign has several"
    raise InputError(option, problem, _or(known))


def _or(known: tuple[str, ...]) -> str:
    return " or ".join(known)
