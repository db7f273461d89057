"""``e2e providers`` as a process: what it lists, and that it opens nothing it should not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from providers.releases.programs import PROGRAMS
from tests.support.release_server import script

ROOT = Path(__file__).parents[3]
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def providers(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "e2e", "providers", "--offline", *argv],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_json_tells_providers_and_origins_and_writes_nothing(tmp_path: Path) -> None:
    done = providers(tmp_path, "--format", "json", "--kubernetes", "release/stable")
    told = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert {"existing", "local"} <= {provider["name"] for provider in told["providers"]}
    assert next(p for p in told["providers"] if p["name"] == "local")["owns_cluster"] is True
    assert told["kubernetes"]["version"] == "v1.36.3"
    assert told["kubernetes"]["source"] == "pinned (offline, asked for release/stable)"
    assert {b["program"]: (b["place"], b["detail"]) for b in told["binaries"]} == dict.fromkeys(
        PROGRAMS, ("nowhere", "there is no go on PATH")
    )
    assert list(tmp_path.iterdir()) == []


def test_text_shows_a_folder_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "v1.36.9"
    folder.mkdir()
    for name in KUBERNETES:
        (folder / name).write_bytes(script(name, "v1.36.9"))
        (folder / name).chmod(0o755)

    done = providers(tmp_path, "--kubernetes", folder.as_uri())

    assert done.returncode == 0
    assert "\nKubernetes v1.36.9 (file (unverified)) for " in done.stdout
    assert f"\nkubectl                   directory    {folder}/kubectl\n" in done.stdout


def test_an_unknown_version_is_a_usage_error(tmp_path: Path) -> None:
    done = providers(tmp_path, "--kubernetes", "1.36.3")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("e2e: '1.36.3' is no version of Kubernetes; did you mean v1.36.3?\n")
