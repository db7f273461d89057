"""``e2e check``: what it prints, how it exits, and that it touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from e2e.cli import cli

CONFIGS = Path(__file__).parents[4] / "providers" / "configs"
JOB = "job: ci-x\nkubernetes: pinned\nprovider: {name: local}\n"


def check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args], prog_name="e2e")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder's ``providers/configs``, with the shipped party."""
    monkeypatch.chdir(tmp_path)
    configs = tmp_path / "providers" / "configs"
    configs.mkdir(parents=True)
    (configs / "party.yaml").write_bytes((CONFIGS / "party.yaml").read_bytes())
    return configs


def test_valid_config_is_exit_0_and_prints_no_problem(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB, encoding="utf-8")

    result = check("x")

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 config checked: nothing wrong\n")


def test_without_arguments_all_found_configs_are_checked(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "a: 1\n", encoding="utf-8")
    (folder / "y.yaml").write_text("", encoding="utf-8")

    result = check("--format", "json")

    shown = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [problem["file"] for problem in shown["problems"]] == [
        "providers/configs/x.yaml",
        "providers/configs/y.yaml",
    ]
    assert shown["files"][:2] == ["providers/configs/x.yaml", "providers/configs/y.yaml"]
    assert f"{CONFIGS}/local.yaml" in shown["jobs"]


def test_every_problem_is_one_line_and_the_exit_code_is_2(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "suite:\n  workers: 0\n  preset: nigthly\n", encoding="utf-8")

    result = check("x", "nope-nope", "/dev/zero.yaml")

    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert lines[0] == "/dev/zero.yaml: there is no file '/dev/zero.yaml'"
    assert lines[1].startswith("nope-nope: unknown job 'nope-nope' (searched providers/configs, ")
    assert lines[2:] == [
        "providers/configs/x.yaml:5:12: suite.workers: found the number 0; expected a number of at least 1",
        (
            "providers/configs/x.yaml:6:11: suite.preset: found 'nigthly'; expected 'gating', 'conformance', 'nightly'"
            " or 'soak' (did you mean 'nightly'?)"
        ),
    ]
    assert result.stderr == "1 config checked: 4 problems\n"


@pytest.mark.parametrize("ref", ["x", "providers/configs/x.yaml", "./providers/configs/x.yaml"])
def test_a_link_that_leads_out_is_not_read_however_it_is_named(ref: str, folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: [\n", encoding="utf-8")
    (folder / "x.yaml").symlink_to(secret)

    result = check(ref)

    told = "providers/configs/x.yaml: is a link that leads out of its folder; expected a regular file\n"
    assert (result.exit_code, result.stdout.removeprefix("./")) == (2, told)


def test_json_holds_the_parts_of_a_problem(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "sutie: {}\n", encoding="utf-8")

    (problem,) = json.loads(check("x", "--format", "json").stdout)["problems"]

    assert problem.pop("expected").startswith("one of job, description, ")
    assert problem == {
        "file": "providers/configs/x.yaml",
        "line": 4,
        "column": 1,
        "key": "sutie",
        "what": "unknown key",
        "nearest": "suite",
    }


def test_resolved_prints_each_value_with_its_origin(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB, encoding="utf-8")

    result = check("--resolved", "x")

    lines = result.stdout.splitlines()
    assert lines[0] == 'job: "ci-x"  # providers/configs/x.yaml:1'
    assert 'results.store: "gs://example-e2e"  # providers/configs/party.yaml:12' in lines
    assert "suite.workers: 8  # default" in lines
    values = json.loads(check("--resolved", "--format", "json", "x").stdout)["resolved"]["providers/configs/x.yaml"]
    assert values["kubernetes"] == {"value": "pinned", "origin": "providers/configs/x.yaml:2"}
    assert len(values) == len(lines) - 1


def keys(values: Any, under: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield (*under, key)
            yield from keys(value, (*under, key))


def known(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> bool:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/$defs/")]
    if any(known(choice, definitions, path) for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))):
        return True
    inner = schema.get("properties", {}).get(path[0]) if path else schema
    return inner is not None and (len(path) <= 1 or known(inner, definitions, path[1:]))


def test_schema_knows_every_key_of_the_shipped_configs_and_no_other() -> None:
    result = check("--schema")
    schema = json.loads(result.stdout)

    assert (result.exit_code, schema["required"], schema["additionalProperties"]) == (0, ["job"], False)
    assert schema["$defs"]["Timeouts"]["properties"]["up"]["default"] == "30m"
    choices = schema["$defs"]["ProviderChoice"]["oneOf"]
    assert [choice["properties"]["name"]["const"] for choice in choices] == [
        "azure",
        "existing",
        "gce",
        "local",
        "ubuntu",
    ]
    for path in CONFIGS.glob("*.yaml"):
        found = list(keys(yaml.safe_load(path.read_text(encoding="utf-8"))))
        assert [key for key in found if not known(schema, schema["$defs"], key)] == []
    assert not known(schema, schema["$defs"], ("suite", "nodes"))


AUDIT = """
import sys
seen = []
def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "urllib.")):
        seen.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        seen.append(f"write {args[0]}")
    if event == "import" and args[0] in ("antigravity", "this", "turtle"):
        seen.append(f"import {args[0]}")
sys.dont_write_bytecode = True
sys.addaudithook(hook)
from e2e.cli import main
try:
    main(sys.argv[1:])
finally:
    print(seen, file=sys.stderr)
"""


def test_hostile_config_makes_check_run_import_and_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(
        'job: !!python/object/apply:os.system ["touch pwned"]\n'
        'description: "$(touch pwned) \\e]0;title\\a <script>"\n'
        "kubernetes: https://example.invalid/v1\n"
        "provider: {name: antigravity, kubeconfig: /etc/shadow}\n"
        'suite: {tester: "this:main", select: "__import__(\'turtle\')"}\n'
        "results: {store: 'gs://example-invalid'}\n",
        encoding="utf-8",
    )

    done = subprocess.run(
        [sys.executable, "-c", AUDIT, "check", "./evil.yaml", "--resolved"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (2, "1 config checked: 5 problems\n[]\n")
    assert done.stdout.replace("\n", "").isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["evil.yaml"]


HOSTILE = JOB + '"x%\\n::warning::y": 1\n'


def test_github_takes_each_problem_as_one_command_whatever_a_config_holds(folder: Path) -> None:
    (folder / "x,y:z.yaml").write_text(HOSTILE, encoding="utf-8")

    result = check("./providers/configs/x,y:z.yaml", "--format", "github")

    (line,) = result.stdout.splitlines()
    told, _, text = line.removeprefix("::error ").partition("::")
    assert result.exit_code == 2
    assert told == ("file=providers/configs/x%2Cy%3Az.yaml,line=4,col=1,title=x%25%0A%3A%3Awarning%3A%3Ay")
    assert "unknown key; expected one of job, description, " in text


def test_sarif_holds_each_problem_with_its_place(folder: Path) -> None:
    (folder / "x y.yaml").write_text(JOB + "sutie: {}\n", encoding="utf-8")

    result = check("./providers/configs/x y.yaml", "--format", "sarif")

    (run,) = json.loads(result.stdout)["runs"]
    (found,) = run["results"]
    assert (result.exit_code, run["tool"]["driver"]["name"], found["level"]) == (2, "e2e check", "error")
    assert found["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "providers/configs/x%20y.yaml"},
                "region": {"startLine": 4, "startColumn": 1},
            }
        }
    ]


@pytest.mark.parametrize("form", ["github", "sarif"])
def test_formats_of_problems_take_nothing_else(folder: Path, form: str) -> None:
    (folder / "x.yaml").write_text(JOB, encoding="utf-8")

    assert check("x", "--format", form).exit_code == 0
    assert check("x", "--format", form, "--resolved").exit_code == 2
