"""The Jenkins jobs of configs, as jenkins-job-builder makes them: whole, and for hostile configs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from jobs.builder import BINDING, SHELL, findings, to_xml
from jobs.definition import Definition
from jobs.pins import constraints, lock_file
from jobs.render import definitions, documents
from providers.config import LoadedJob, default_search, load_job
from providers.config.load import Layers, load_file
from providers.config.review import review
from upload.errors import UsageError

ROOT = Path(__file__).parents[3]
FIXTURES = Path(__file__).parent / "fixtures"
VERSION = f"=={metadata.version('federated-e2e')}"

Golden = Callable[[str, bytes], None]


def load(path: Path, folder: Path) -> LoadedJob:
    """Return a config as if it stood in a repository."""
    configs = folder / "providers" / "configs"
    configs.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, configs)
    return load_file(configs / path.name, Layers((configs,)))


def render(*jobs: LoadedJob) -> dict[str, bytes]:
    return to_xml(documents(definitions(jobs, is_all=True, marking=("gce", "azure"))))


def shells(xml: bytes) -> list[str]:
    return [each.text or "" for each in ET.fromstring(xml).iterfind(f".//{SHELL}/command")]


def as_one(xml: dict[str, bytes]) -> bytes:
    """Return the XML of several jobs as one document that does not change with the version."""
    parts = [content.decode().split("?>\n", 1)[1].replace(VERSION, "==VERSION") for content in xml.values()]
    named = [f"<!-- {name} -->\n{part}" for name, part in zip(xml, parts, strict=True)]
    return ("<jobs>\n" + "".join(named) + "</jobs>\n").encode()


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.iterdir()))
def test_config_becomes_the_xml_beside_it(name: str, golden: Golden, tmp_path: Path) -> None:
    made = as_one(render(load(FIXTURES / f"{name}.yaml", tmp_path)))

    assert ET.fromstring(made).tag == "jobs"
    golden(str(FIXTURES / f"{name}.xml"), made)


@pytest.fixture(scope="module")
def tree() -> tuple[tuple[Definition, ...], dict[str, bytes]]:
    """The Jenkins jobs of every config in the tree."""
    found = review((), search=default_search(ROOT))
    assert found.problems == ()
    made = definitions(tuple(found.jobs), is_all=True)
    return made, to_xml(documents(made))


def test_every_config_of_the_tree_is_rendered_without_a_finding(
    tree: tuple[tuple[Definition, ...], dict[str, bytes]],
) -> None:
    made, xml = tree
    jobs = {job.config.job for job in review((), search=default_search(ROOT)).jobs}

    assert set(xml) == {each.name for each in made}
    assert jobs <= set(xml)
    assert [line for name, content in xml.items() for line in findings(name, content)] == []


def test_shell_of_every_kind_of_job_passes_shellcheck(tmp_path: Path) -> None:
    xml = render(*(load(path, tmp_path) for path in sorted(FIXTURES.glob("*.yaml"))))
    scripts = dict.fromkeys(text for content in xml.values() for text in shells(content))
    files = []
    for number, text in enumerate(scripts):
        assert text.startswith("#!/usr/bin/env bash\n")
        assert "set -eu -o pipefail\n" in text
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_text(text)
    # SC2034: not every step uses every value that it is given
    argv = ["shellcheck", "--shell=bash", "--exclude=SC2034", *map(str, files)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=venv_path())

    assert done.returncode == 0, done.stdout


def venv_path() -> dict[str, str]:
    import sys

    return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


HOSTILE = (
    "'; touch PWNED; '",
    "$(touch PWNED)`touch PWNED`",
    '{job} {{settings}} {obj:scm} "\\',
    "]]> </command><evil/> &amp; <script>",
    "!include /etc/passwd",
    "line\nE2E_REQUIREMENTS=evil\n- project:",
    "caf\u00e9 \u2028 \U0001f600",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_a_value(text: str, tmp_path: Path) -> None:
    plain = yaml.safe_load((FIXTURES / "nightly-gce.yaml").read_text())
    shown = text.replace("\u2028", "")
    plain |= {"description": shown, "suite": {"focus": re.escape(text)}}
    plain["hooks"] = {"before_up": {"command": ["./prepare.sh", shown]}}
    path = tmp_path / "hostile.yaml"
    path.write_text(yaml.safe_dump(plain))
    job = load_file(path, Layers(()))

    xml = render(job)

    content = xml[job.config.job]
    assert list(xml) == [job.config.job, "example-e2e-cleanup", "example-e2e-feed"]
    assert len(shells(content)) == 4
    assert ET.fromstring(content).find(".//evil") is None
    about = ET.fromstring(content).findtext("description") or ""
    assert "<script>" not in about
    # what the shell writes is the config, whole; nothing else happened
    step = next(text for text in shells(content) if "E2E_CONFIG=" in text)
    lines = step.split('cd "$WORKSPACE"')[0] + "printf '%s\\n' \"$E2E_CONFIG\" > job.yaml\n"
    subprocess.run(["bash", "-c", lines], cwd=tmp_path, check=True, timeout=60)
    written = load_file(tmp_path / "job.yaml", Layers(())).config
    assert written == job.config.model_copy(update={"jenkins": written.jenkins})
    assert not (tmp_path / "PWNED").exists()


def test_mail_to_a_hostile_address_expands_nothing(tmp_path: Path) -> None:
    plain = yaml.safe_load((FIXTURES / "nightly-gce.yaml").read_text())
    plain["dashboard"]["alert_email"] = "${AZURE_CLIENT_SECRET}@example.com"
    path = tmp_path / "hostile.yaml"
    path.write_text(yaml.safe_dump(plain))

    xml = render(load_file(path, Layers(())))["ci-kubernetes-e2e-gce-ubuntu"]

    assert ET.fromstring(xml).findtext(".//recipientList") == "$${AZURE_CLIENT_SECRET}@example.com"


def test_pull_request_gets_no_credential_and_other_agents(tmp_path: Path) -> None:
    xml = render(load(FIXTURES / "pull.yaml", tmp_path))

    pull = xml["pull-ci-kubernetes-e2e-local-mine"]
    assert b"example-ssh" not in pull
    assert b"example-sudo" not in pull
    assert ET.fromstring(pull).find(f".//{BINDING}") is None
    assert ET.fromstring(pull).findtext("assignedNode") == "e2e-pull"
    assert b"example-ssh" in xml["ci-kubernetes-e2e-local-mine"]


def test_cloud_configs_are_never_run_for_pull_requests(tmp_path: Path) -> None:
    plain = yaml.safe_load((FIXTURES / "nightly-gce.yaml").read_text())
    plain["jenkins"]["repository"] = "example/e2e-configs"
    file = tmp_path / "gce.yaml"
    file.write_text(yaml.safe_dump(plain))

    made = definitions([load(file, tmp_path)], is_all=True)

    assert [each.name for each in made if each.template == "e2e-pull"] == []


def test_two_jenkins_jobs_of_one_name_are_refused(tmp_path: Path) -> None:
    plain = yaml.safe_load((FIXTURES / "soak.yaml").read_text())
    plain["job"] = "example-e2e-cleanup"
    file = tmp_path / "soak.yaml"
    file.write_text(yaml.safe_dump(plain))

    with pytest.raises(UsageError, match="two Jenkins jobs would be named example-e2e-cleanup"):
        definitions([load_file(file, Layers(()))], is_all=True)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"credentials": {"PATH": "x"}}, "expected one of GOOGLE_APPLICATION_CREDENTIALS"),
        ({"credentials": {"LD_PRELOAD": "x"}}, "expected one of GOOGLE_APPLICATION_CREDENTIALS"),
        ({"credentials": {"E2E_SSH_IDENTITY": "a b"}}, "the id of a Jenkins credential"),
        ({"label": "e2e; rm"}, "a label of agents"),
        ({"repository": "https://evil.example/x"}, "a repository on GitHub"),
        ({"branch": "../x"}, "the name of a branch"),
        ({"packages": ["--index-url=https://evil.example"]}, "a package with its version"),
        ({"packages": ["evil @ https://evil.example/x.whl"]}, "a package with its version"),
        ({"packages": ["evil>=1"]}, "a package with its version"),
    ],
    ids=["path", "preload", "id", "label", "repository", "branch", "option", "address", "unpinned"],
)
def test_wrong_jenkins_section_is_refused(section: dict[str, Any], key: str, tmp_path: Path) -> None:
    plain = yaml.safe_load((FIXTURES / "soak.yaml").read_text())
    plain["jenkins"] = section
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(plain))

    with pytest.raises(UsageError, match=re.escape(key)):
        load_job(str(file), search=())


def test_pins_are_the_versions_of_the_lock_without_hashes() -> None:
    found = list(constraints(lock_file().read_text()))

    assert all(re.match(r"[a-z0-9][a-z0-9.-]*==[^ ]+( ; .+)?$", line) for line in found), found
    assert any(line.startswith("click==") for line in found)


def test_step_after_a_build_has_the_credentials_and_removes_its_copy(tmp_path: Path) -> None:
    """Jenkins takes them away before: the file, and the variables."""
    steps = shells(render(load(FIXTURES / "pull.yaml", tmp_path))["ci-kubernetes-e2e-local-mine"])
    keep, finish = (next(text for text in steps if word in text) for word in ("umask 077", "--if-killed"))
    workspace, secret_file = tmp_path / "agent" / "job", tmp_path / "secret"
    workspace.mkdir(parents=True)
    venv = tmp_path / "agent" / "job@tmp" / "e2e-venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "requirements").touch()
    python = venv / "bin" / "python"
    python.write_text('#!/bin/sh\ncat "$E2E_SSH_IDENTITY"; echo "$E2E_SUDO_PASSWORD"; echo "$@"\n')
    python.chmod(0o755)
    secret_file.write_text("the key\n")
    base = {"PATH": "/usr/bin:/bin", "WORKSPACE": str(workspace)}
    bound = base | {"E2E_SSH_IDENTITY": str(secret_file), "E2E_SUDO_PASSWORD": "it's $HOME"}
    kept = tmp_path / "agent" / "job@tmp" / "e2e"

    subprocess.run(["bash", "-c", keep], env=bound, check=True, timeout=60)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (kept, *kept.iterdir())}
    secret_file.unlink()
    done = subprocess.run(["bash", "-c", finish], env=base, capture_output=True, text=True, timeout=60, check=False)

    assert modes == {"e2e": 0o700, "E2E_SSH_IDENTITY": 0o600, "E2E_SUDO_PASSWORD": 0o600}
    down = "-P -m e2e down ci-kubernetes-e2e-local-mine --resume --abort --if-killed --log-format plain"
    assert (done.returncode, done.stdout) == (0, f"the key\nit's $HOME\n{down}\n"), done.stderr
    assert not kept.exists()
