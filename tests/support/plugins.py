"""Install a fake distribution with entry points into a folder, as pip would leave it."""

from __future__ import annotations

from pathlib import Path

PROVIDER = """
from pydantic import BaseModel, ConfigDict, Field

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int = Field(ge=1, default=1, description="how big it is")
    region: str = Field(description="where it stands")
    tags: dict[str, "Tag"] = {}

class Tag(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    colour: str = "red"

class Provider:
    Settings = Settings
    features = frozenset({"dns"})
    owns_cluster = True

    def __init__(self, settings):
        self.settings = settings

    @classmethod
    def refusals(cls, spec):
        return {"control_planes": "1"} if spec.control_planes != 1 else {}
"""


def install_distribution(
    folder: Path, name: str, *, group: str, entries: dict[str, str], modules: dict[str, str]
) -> Path:
    """Write distribution ``name`` 1.0 into ``folder``: entry points (name -> value) and modules (name -> source)."""
    facts = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()), ""]
    (facts / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
    return folder
