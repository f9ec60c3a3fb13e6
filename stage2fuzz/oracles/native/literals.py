"""Tuples, lists and dictionaries that are written out, in C."""

import ast

from stage2fuzz.oracles.native.loops import Loops
from stage2fuzz.oracles.native.program import (
    width,
)
from stage2fuzz.oracles.native.scope import Value
from stage2fuzz.oracles.native.types import (
    DIGEST,
    EMPTY,
    Type,
    merge,
)


class Literals(Loops):
    """What makes containers."""

    def _tuple(self, node: ast.Tuple, wanted: Type | None) -> Value:
        inner = self.program.bare(wanted) if wanted else None
        starred = any(isinstance(each, ast.Starred) for each in node.elts)
        if inner == DIGEST:
            return self._digest_of(node), DIGEST
        if starred and not inner and len({str(self._held(each)) for each in node.elts}) > 1:
            return self._digest_of(node), DIGEST
        if starred or (inner and inner[0] == "list"):
            return self._list(node, inner)
        if not node.elts:
            return "list_new()", EMPTY
        types: list[Type | None] = [None] * len(node.elts)
        if inner and inner[0] == "tuple" and len(inner[1]) == len(node.elts):
            types = list(inner[1])
        parts = [self.value(e, of) for e, of in zip(node.elts, types, strict=True)]
        codes = [
            self.convert(part, of, node) if of else part[0]
            for part, of in zip(parts, types, strict=True)
        ]
        found = [DIGEST if of == DIGEST else part[1] for part, of in zip(parts, types, strict=True)]
        return self.tuple_of(codes), ("tuple", tuple(found))

    def _held(self, node: ast.expr) -> Type:
        """The type of an element that is written out, or of those that are unpacked there."""
        return self.element(node.value) if isinstance(node, ast.Starred) else self.value(node)[1]

    def _digest_of(self, node: ast.Tuple) -> str:
        """The digest of a tuple that is written out; what is unpacked in it is taken in."""
        sum_, steps, count = self.fresh(), [], []
        for each in node.elts:
            if not isinstance(each, ast.Starred):
                steps.append(f"{sum_} = blend({sum_}, {self.word(each, DIGEST)});")
                count.append("1")
                continue
            if isinstance(each.value, (ast.GeneratorExp, ast.ListComp)):
                code, of = self.value(each.value)
            else:
                code, of = self.value(each.value)
            of, name = self.program.bare(of), self.fresh()
            steps.append(f"word {name} = {code};")
            if of[0] == "tuple":
                for i, part in enumerate(of[1]):
                    one = self.digest(f"TUPLE({name})[{i}]", part, each)
                    steps.append(f"{sum_} = blend({sum_}, {one});")
                count.append(str(len(of[1])))
            elif of[0] == "list":
                at = self.fresh()
                one = self.digest(f"LIST({name})->at[{at}]", of[1], each)
                loop = f"for (word {at} = 0; {at} < LIST({name})->n; {at}++)"
                steps.append(f"{loop} {sum_} = blend({sum_}, {one});")
                count.append(f"LIST({name})->n")
            else:
                raise self.fail(each)
        total = " + ".join(count) or "0"
        return f"({{ word {sum_} = 11; {' '.join(steps)} blend({sum_}, {total}); }})"

    def _list(self, node: ast.List | ast.Tuple, wanted: Type | None) -> Value:
        inner = self.program.bare(wanted) if wanted else None
        of: Type | None = inner[1] if inner and inner[0] == "list" else None
        name, steps, found = self.fresh(), [], []
        for each in node.elts:
            if isinstance(each, ast.Starred):
                element = self.element(each.value)
                found.append(element)
                loop = self.loop(each.value, lambda code: f"list_append({name}, {code});")
                steps.append(loop)
            else:
                part = self.value(each, of)
                found.append(part[1])
                code = self.convert(part, of, each) if of else part[0]
                steps.append(f"list_append({name}, {code});")
        if not node.elts:
            return "list_new()", ("list", of) if of else EMPTY
        held = of or merge(found, self.program.names)
        return f"({{ word {name} = list_new(); {' '.join(steps)} {name}; }})", ("list", held)

    def _dict(self, node: ast.Dict, wanted: Type | None) -> Value:
        if node.keys:
            raise self.fail(node)
        inner = self.program.bare(wanted) if wanted else EMPTY
        each = width(inner[1], self.program.names) if inner[0] == "dict" else 0
        return f"dict_new({each})", inner
