"""Where the package's own files lie: in a checkout, in an installed wheel and in the image alike.

``worker/``, ``coordinator/``, ``fuzz_targets/`` and ``corpus/`` have their homes at the top of the
checkout. Links below the package give them the one import name that the wheel, which holds them as
folders, gives them too.
"""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).absolute().parent
IMPORT_ROOT: Final = PACKAGE.parent
"""What ``PYTHONPATH`` must hold so that another process imports this very package."""
TARGETS: Final = PACKAGE / "fuzz_targets"
"""The fuzz targets, scripts run by path."""
CORPUS: Final = PACKAGE / "corpus"
"""Seeds, a folder for each target."""
