"""The versions that this version of the tool was tested with, as constraints for pip: ``python -m jobs.pins``.

Needs nothing but Python: it runs when the tool is installed and none of what it needs is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

LOCK = "requirements.lock"
_HERE = Path(__file__).parent


def constraints(lock: str) -> Iterator[str]:
    """Yield ``name==version ; marker`` for each distribution of a lock, without its hashes."""
    for line in lock.splitlines():
        if line and not line.startswith((" ", "#", "-")):
            yield line.removesuffix("\\").rstrip()


def lock_file() -> Path:
    """Return the lock: in the package once it is installed, at the top of a checkout."""
    return next(path for path in (_HERE / LOCK, _HERE.parent / LOCK) if path.is_file())


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in constraints(lock_file().read_text(encoding="utf-8")))
