"""What readers of other tools' jobs fill: a config's values as they stand in a file, and what has no place there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = 20_000
WIDEST: Final = "nightly"  # of the presets; the job's own focus and skip narrow it
_SECRET: Final = re.compile(r"TOKEN|SECRET|PASS|KEY|CRED", re.IGNORECASE)
_USER: Final = re.compile(r"(://)[^/@\s]*@")


def shown(name: str, value: str) -> str:
    """Return ``name=value`` for a note, which may end up in a repository: without what looks like a secret."""
    return f"{name}={'***' if _SECRET.search(name) else without_user(value)}"


def without_user(text: str) -> str:
    """Return text in which no address has a user or a password."""
    return _USER.sub(r"\1***@", text)


@dataclass(slots=True)
class Draft:
    """A config that is being made. ``notes``: what was said → why it is not in the config."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def put(self, key: str, value: Any) -> None:
        """Set a dotted key, unless the value is longer than any config needs."""
        if len(str(value)) > LONGEST:
            self.note(key, f"is longer than {LONGEST} characters")
            return
        *sections, last = key.split(".")
        here = self.values
        for section in sections:
            here = here.setdefault(section, {})
        here[last] = value

    def note(self, what: str, why: str) -> None:
        """Write down what has no counterpart."""
        self.notes.append((what, why))

    def put_store(self, what: str, uri: str) -> None:
        """Set the bucket of ``gs://bucket/…/prefix``."""
        scheme, _, path = uri.rstrip("/").partition("://")
        bucket, _, folder = path.rpartition("/") if "/" in path else (path, "", "")
        if scheme != "gs" or not bucket:
            self.note(f"{what}={uri}", "results go to a gs:// bucket")
            return
        self.put("results.store", f"gs://{bucket}")
        if folder:
            self.put("results.prefix", folder)

    def put_count(self, what: str, key: str, text: str) -> None:
        """Set a number, if the text is one."""
        if text.isascii() and text.isdigit() and len(text) < 10:
            self.put(key, int(text))
        else:
            self.note(f"{what}={text}", "is no number")

    def put_zone(self, what: str, zone: str) -> None:
        """Set a zone of GCE and its region."""
        region = zone.rpartition("-")[0]
        if not region:
            self.note(f"{what}={zone}", "is no zone of GCE")
            return
        self.put("provider.region", region)
        self.put("provider.zones", [zone])
