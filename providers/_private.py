"""What a provider keeps in the private folder of its cluster: documents, and an empty folder in the end."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upload.errors import ProviderError


def write_private(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a JSON document that only its owner may read, whole or not at all, and return its path."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
        part.replace(path)
    except OSError as exc:
        raise ProviderError(f"{path} cannot be written: {exc}") from exc
    return path


def empty(folder: Path) -> None:
    """Remove all that is in a folder; one that is not there is fine. Raises: ProviderError."""
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as exc:
        raise ProviderError(f"{folder} cannot be emptied: {exc}", hint=f"rm -r {folder}") from exc
