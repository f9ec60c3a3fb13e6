"""What a compiler complains of, as the identifiers a person must look at."""

import re
from typing import Final

MISSING: Final = re.compile(
    r"(?:use of undeclared identifier|call to undeclared function|unknown type name|"
    r"no member named|implicit declaration of function|has no member named|undeclared identifier|"
    r"incomplete type|invalid use of undefined type|field has incomplete type) "
    r"[`'\"](?:struct |enum |union )?(\w+)['\"]"
    r"|'(\w+)' undeclared"
    r"|undefined reference to [`'](\w+)'"
)


def complaint(errors: str) -> str:
    """``needs a, b, c``, or the first error where no identifier is missing."""
    found = {a or b or c for a, b, c in MISSING.findall(errors)}
    if found:
        return f"needs {', '.join(sorted(found))}"
    lines = [line for line in errors.splitlines() if "error" in line]
    return (lines or errors.splitlines() or ["does not compile"])[0]
