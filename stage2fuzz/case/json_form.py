"""JSON <-> Case: the form for programs that make or read cases, with a schema that is published.

It says what the text form says, in the same words: an access is ``write 0``, a run of a schedule
``[thread, points]``. A case in JSON is read by way of its text, so both refuse the same.
"""

import json
from pathlib import Path
from typing import Any, Final

from stage2fuzz.arch import INSTRUCTIONS
from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import HypOp
from stage2fuzz.case.limits import MAX_TEXT
from stage2fuzz.case.lines import OPTIONS, body_lines, spell
from stage2fuzz.case.scenario import Host, Op
from stage2fuzz.case.text import VERSION, format_case, parse, read_text
from stage2fuzz.errors import InputError

_LISTS: Final = {"slot": "slots", "vcpu": "vcpus", "host": "hosts", "cpu": "cpus"}
"""The word of a line -> the field of a case in JSON."""
_PAGE: Final = "([0-9]+/)?[0-9]+"


def _words(names: Any) -> str:
    return "(" + "|".join(sorted(names, key=len, reverse=True)) + ")"


def _programs(pattern: str) -> dict[str, Any]:
    """Threads, each a list of what it does."""
    item = {"type": "string", "pattern": f"^{pattern}$"}
    return {"type": "array", "items": {"type": "array", "items": item, "minItems": 1}}


SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "stage2fuzz: a case",
    "description": "What docs/case-format.md says as text: the words are the same.",
    "type": "object",
    "properties": {
        "format": {"const": VERSION},
        "engine": {"type": "string", "pattern": "^[a-z]+:."},
        "build": {"type": "string", "pattern": "^[0-9a-f]{24}( [0-9a-f]{8})?$"},
        "options": {
            "type": "object",
            "propertyNames": {"enum": sorted(OPTIONS)},
            "additionalProperties": {"type": ["string", "integer", "boolean"]},
        },
        "slots": _programs("(pages [0-9]+|first [0-9]+|backing [a-z]+|skewed [0-9]+|[a-z-]+)"),
        "host_pages": {
            "type": "object",
            "propertyNames": {"pattern": f"^{_PAGE}$"},
            "additionalProperties": {"enum": [spell(one.name) for one in Host]},
        },
        "vcpus": _programs(f"{_words(INSTRUCTIONS)} {_PAGE}"),
        "hosts": _programs(f"{_words(spell(one.name) for one in Op)} {_PAGE}( pages [0-9]+)?"),
        "cpus": _programs(f"{_words(spell(one.name) for one in HypOp)}( [a-z-]+| [0-9]+)*"),
        "schedule": {
            "description": "Runs: a thread and its points; without these it goes as far as it can.",
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "minItems": 1,
                "maxItems": 2,
            },
        },
        "choices": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    },
    "required": ["format", "engine"],
    "additionalProperties": False,
}
"""A case in JSON. What fits it may still be refused: limits of numbers are the text form's."""


def to_json(case: Case) -> dict[str, Any]:
    """The case for a program."""
    record: dict[str, Any] = {"format": VERSION, "engine": case.engine}
    if case.build:
        lines = format_case(case).splitlines()
        record["build"] = next(line for line in lines if line.startswith("build "))[6:]
    for line in body_lines(case):
        begin, _, told = line.partition(": ")
        word, _, rest = begin.partition(" ")
        if word in _LISTS:
            record.setdefault(_LISTS[word], []).append(told.split(", "))
        elif word == "host-page":
            record.setdefault("host_pages", {})[rest] = told
        elif word == "option":
            name, _, value = rest.partition(" ")
            number = int(value) if value.isdecimal() else value
            record.setdefault("options", {})[name] = number if value else True
        elif word == "schedule":
            runs = [[int(part) for part in run.split("*")] for run in rest.split()]
            record.setdefault("schedule", []).extend(runs)
        else:
            record.setdefault("choices", []).extend(map(int, rest.split()))
    return record


def read_json_case(path: Path) -> Case:
    """The case of a JSON file."""
    return from_json(read_text(path), str(path))


def from_json(text: str, name: str) -> Case:
    """The case of a JSON text; InputError naming ``name`` and the field that is wrong."""
    if len(text) > MAX_TEXT:
        raise InputError(name, "too long for a case", f"at most {MAX_TEXT} characters")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(name, "is no JSON") from None
    if not isinstance(record, dict) or record.get("format") != VERSION:
        raise InputError(name, "is no case in JSON", f'an object with "format": {VERSION}')
    for field in sorted(record.keys() - SCHEMA["properties"].keys()):
        raise InputError(
            name, f"a case has no field {field[:40]!r}", ", ".join(SCHEMA["properties"])
        )
    lines = [f"stage2fuzz case {VERSION}"]
    for field in SCHEMA["properties"]:
        if field in record and field != "format":
            try:
                lines += _lines(field, record[field])
            except (TypeError, ValueError, AttributeError):
                raise InputError(
                    name, f"its field {field!r} has another form", "the schema's"
                ) from None
    return parse("\n".join([*lines, "end", ""]), name)


def _lines(field: str, value: Any) -> list[str]:
    """The lines of one field. TypeError, ValueError or AttributeError where it is none."""
    words = {plural: word for word, plural in _LISTS.items()}
    if field in words:
        return [
            f"{words[field]} {number}: {', '.join(map(_word, program))}"
            for number, program in enumerate(value)
        ]
    if field == "engine":
        return [f"engine {json.dumps(_text(value))}"]
    if field == "build":
        return [f"build {_word(value)}"]
    if field == "options":
        return [f"option {_word(name)}{_value(each)}" for name, each in value.items()]
    if field == "host_pages":
        return [f"host-page {_word(page)}: {_word(host)}" for page, host in value.items()]
    if field == "schedule":
        runs = ["*".join(str(_number(part)) for part in run) for run in value]
        return [f"schedule {' '.join(runs)}"] if runs else []
    return [f"choices {' '.join(str(_number(each)) for each in value)}"] if value else []


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _word(value: Any) -> str:
    """A text that can be no more than its own item of its line."""
    if not _text(value).isprintable() or set(value) & set(',:#"'):
        raise ValueError
    return str(value)


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _value(value: Any) -> str:
    """An option's; a flag that is off would need no line, and is refused."""
    if value is True:
        return ""
    return f" {_word(value) if isinstance(value, str) else _number(value)}"
