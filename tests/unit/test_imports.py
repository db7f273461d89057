"""The direction of imports (DESIGN section 2) and the cost of starting up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("e2e", "jobs", "providers", "upload", "dashboard_feed", "tests")

# package -> what it may import of ours, as module prefixes
ALLOWED = {
    "upload": ("upload",),
    "providers": ("providers", "upload.errors"),
    "jobs": ("jobs", "providers.config", "upload.errors"),
    "dashboard_feed": (
        "dashboard_feed",
        "upload.model",
        "upload.layout",
        "upload.junit",
        "upload.store",
        "upload.verify",
        "upload.errors",
    ),
    "e2e": ("e2e", "jobs", "providers", "upload", "dashboard_feed"),
}

# what `e2e --help` may not load: each costs more than click itself
HEAVY = (
    "pydantic",
    "yaml",
    "rich",
    "lightkube",
    "httpx2",
    "google",
    "lxml",
    "pytest",
    "jinja2",
    "psutil",
    "asyncio",
    "asyncssh",
    "pyarrow",
    "duckdb",
)


def our_imports(path: Path) -> set[str]:
    """Return every module of ours that a file imports, also inside functions and TYPE_CHECKING."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.split(".")[0] in PACKAGES}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_along_the_arrows(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in sorted(our_imports(path))
        if not any(name == allowed or name.startswith(f"{allowed}.") for allowed in ALLOWED[package])
    ]

    assert wrong == []


def test_a_wrong_arrow_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("def f():\n    from providers.local import LocalProvider\n")

    assert our_imports(module) == {"providers.local.LocalProvider"}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom e2e.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr.strip() == "[]"


def test_what_brings_a_cluster_up_does_not_import_what_tests_and_publishes() -> None:
    code = (
        "import sys, e2e.lifecycle.begin, e2e.lifecycle.sequence\n"
        "print([m for m in ('pytest', 'lxml', 'upload.publish', 'upload.verify') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_asking_for_a_provider_imports_no_cloud_sdk() -> None:
    code = (
        "import sys, e2e.lifecycle.begin, e2e.lifecycle.sequence\nfrom providers.registry import make_provider\n"
        "make_provider('local', {}), make_provider('gce', {'project': 'example-project', 'region': 'europe-west1'})\n"
        "make_provider('azure', {'subscription': '00000000-0000-4000-8000-000000000001', 'location': 'westeurope'})\n"
        "heavy = ('google.cloud.compute_v1', 'google.auth', 'grpc', 'azure', 'msal')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_every_module_imports_without_warnings() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in ALLOWED
        for path in sources(package)
        if "suite" not in path.parts and path.name not in ("__main__.py", "conftest.py")
    ]
    code = f"import importlib\nfor m in {modules!r}: importlib.import_module(m)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )

    assert (done.returncode, done.stderr) == (0, "")
