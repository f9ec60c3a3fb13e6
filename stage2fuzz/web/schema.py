"""What the API's records hold, as a JSON schema (2020-12): published at ``/api/schema``."""

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_MOMENT: Final = {"type": "string", "format": "date-time"}
_NUMBER: Final = {"type": ["integer", "null"]}
_FINDING: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            (
                *("engine", "build", "oracle", "rule", "signature", "cause", "known", "verdict"),
                *("state", "label"),
                *("owner", "introduced_by", "fixed_by", "first_seen_in", "fixed_in"),
            ),
            _TEXT,
        ),
        **dict.fromkeys(("id", "count", "attempts", "confirmations", "reopened"), _COUNT),
        "category": {"enum": ["correctness", "progress", "economy"]},
        "duplicate_of": _NUMBER,
        "first_seen": _MOMENT,
        "last_seen": _MOMENT,
        "minimised": {"type": "boolean"},
    },
    "required": ["id", "engine", "oracle", "category", "signature", "verdict", "state"],
}
_PROOF: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What a search of every interleaving of one scenario said of one build.",
    "properties": {
        **dict.fromkeys(("engine", "build", "name", "bounds", "statement", "case"), _TEXT),
        "knowledge": {"enum": ["proved", "refuted", "bounded", "inconclusive"]},
        "not_seen": {"type": "array", "items": _TEXT},
        "signatures": {"type": "array", "items": _TEXT},
        "configurations": _COUNT,
        "classes": _COUNT,
        "seconds": {"type": "number"},
        "at": _MOMENT,
        "shows_it": {"type": "boolean"},
    },
    "required": ["engine", "name", "knowledge", "case", "signatures"],
}
_WHOLE: Final[dict[str, Any]] = {
    "allOf": [{"$ref": "#/$defs/finding"}],
    "type": "object",
    "properties": {
        "case": _TEXT,
        "minimised_case": _TEXT,
        "examples": {"type": "array", "items": _TEXT},
        "history": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"at": _MOMENT, "state": _TEXT, "note": _TEXT},
            },
        },
        "engines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "engine": _TEXT,
                    "outcome": {"enum": ["present", "absent", "unknown"]},
                    "checked": _MOMENT,
                },
            },
        },
        "real": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kernel": _TEXT,
                    "answer": {"enum": ["confirmed", "refuted", "not reached"]},
                    "told": _TEXT,
                },
            },
        },
        "proofs": {"type": "array", "items": {"$ref": "#/$defs/proof"}},
    },
    "required": ["case", "history", "engines"],
}
_MESSAGE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What a webhook of notify is sent.",
    "properties": {
        "event": {"enum": ["findings"]},
        "subject": _TEXT,
        "text": _TEXT,
        "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
        "more": _COUNT,
    },
    "required": ["event", "subject", "text", "findings", "more"],
}
SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "stage2fuzz: findings over HTTP",
    "description": (
        "GET /api/findings answers {findings: [finding]}, /api/findings/ID a whole one, "
        "/api/proofs?engine=NAME {trees, proofs: [proof]}."
    ),
    "oneOf": [
        {
            "type": "object",
            "properties": {"findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}}},
            "required": ["findings"],
        },
        {"$ref": "#/$defs/whole"},
    ],
    "$defs": {"finding": _FINDING, "whole": _WHOLE, "proof": _PROOF, "message": _MESSAGE},
}
