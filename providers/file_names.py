"""File names made of names that strangers chose."""

from __future__ import annotations

import hashlib
import re

NAME_CHARACTERS = 120


def safe_name(name: str) -> str:
    """Return ``name`` as a file name that is neither hidden nor a path; what had to change is told apart by a hash."""
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", name)[:NAME_CHARACTERS].lstrip(".")
    if name and clean == name:
        return name
    return f"{clean}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
