"""``e2e new provider-config``: from an empty folder to a config that passes its check."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from e2e.cli import cli

PARTY = ("--party", "acme", "--github", "ada", "--email", "ada@example.com", "--store", "gs://acme-e2e")
AZURE = ("--set", "subscription=00000000-0000-4000-8000-000000000001", "--set", "location=westeurope")
MACHINES = "machines=[{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.3}]"


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args), prog_name="e2e")


def new(*args: str) -> Result:
    return run("new", "provider-config", *args)


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "providers" / "configs"


@pytest.mark.parametrize(
    ("provider", "more"),
    [
        pytest.param("local", (), id="local"),
        pytest.param("existing", (), id="existing"),
        pytest.param("ubuntu", ("--set", MACHINES), id="ubuntu"),
        pytest.param("gce", ("--set", "project=acme-project", "--set", "region=europe-west1"), id="gce"),
        pytest.param("azure", AZURE, id="azure"),
    ],
)
def test_what_is_written_passes_its_check(provider: str, more: tuple[str, ...], configs: Path) -> None:
    done = new("one", "--provider", provider, *PARTY, *more)

    assert (done.exit_code, done.stdout) == (
        0,
        "wrote providers/configs/party.yaml\nwrote providers/configs/one.yaml\n",
    ), done.output
    assert run("check", "one").exit_code == 0


def test_every_key_has_a_comment(configs: Path) -> None:
    new("west", "--provider", "azure", "--schedule", "H 2 * * *", *PARTY, *AZURE)

    assert (configs / "west.yaml").read_text() == (
        "job: ci-kubernetes-e2e-acme-west        # the name in the bucket, in Jenkins and in TestGrid\n"
        'description: "Kubernetes on azure"      # one sentence for the dashboards\n'
        "\n"
        "kubernetes: release/stable              # vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y] or pinned\n"
        "provider:\n"
        "  name: azure                           # `e2e providers` lists the installed ones\n"
        '  subscription: "00000000-0000-4000-8000-000000000001"\n'
        "  location: westeurope\n"
        "  # programs: copied                    # copied: from here to each machine\n"
        '  # image: "Canonical:ubuntu-24_04-lts:server:latest"'
        "  # publisher:offer:sku:version of the machines' image\n"
        "  # disk_gb: 50                         # size of each machine's disk, in GB\n"
        "  # spot: false                         # cheaper machines that may be taken away at any time\n"
        '  # subnet_cidr: "10.10.0.0/20"         # addresses of the machines\n'
        "\n"
        "cluster:\n"
        "  nodes: 2                              # workers; control_planes: 1 unless given\n"
        "\n"
        "suite:\n"
        "  preset: nightly                       # gating, conformance, nightly or soak\n"
        "\n"
        'schedule: "H 2 * * *"                   # when Jenkins starts it\n'
        "\n"
        "dashboard:\n"
        "  tab: west                             # the tab in TestGrid\n"
    )


def test_a_second_config_is_one_of_the_same_party(configs: Path) -> None:
    new("one", "--provider", "local", *PARTY)
    party = (configs / "party.yaml").read_text()

    done = new("two", "--provider", "local")

    assert (done.exit_code, (configs / "party.yaml").read_text()) == (0, party)
    assert (configs / "two.yaml").read_text().startswith("job: ci-kubernetes-e2e-acme-two ")


@pytest.mark.parametrize("text", ['": {', "a # b", "yes", "1e3", "ü\t", "- x", "'", "{{ x }}", "* *"])
def test_any_text_is_kept_as_it_is(text: str, configs: Path) -> None:
    new("one", "--provider", "local", "--description", f"x{text}", *PARTY)

    assert yaml.safe_load((configs / "one.yaml").read_text())["description"] == f"x{text}"


def test_nothing_is_written_over(configs: Path) -> None:
    new("one", "--provider", "local", *PARTY)
    written = (configs / "one.yaml").read_text()

    done = new("one", "--provider", "existing")

    assert (done.exit_code, "providers/configs/one.yaml is there already" in done.stderr) == (2, True)
    assert (configs / "one.yaml").read_text() == written


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(("one",), "give --party", id="party"),
        pytest.param(("one", *PARTY), "give --provider", id="provider"),
        pytest.param(("one", "--provider", "azure", *PARTY), "give --set subscription=…", id="key"),
        pytest.param(("A b",), "Invalid value for NAME", id="name"),
        pytest.param(("party",), "Invalid value for NAME", id="party.yaml"),
        pytest.param(("../one",), "Invalid value for NAME", id="elsewhere"),
        pytest.param(("one", "--provider", "local", "--set", "x", *PARTY), "'x' is no KEY=VALUE", id="no value"),
        pytest.param(("one", "--provider", "local", "--set", "x=[", *PARTY), "is no YAML", id="no YAML"),
        pytest.param(("one", "--provider", "local", "--set", "x=1\ny: 2", *PARTY), "is no plain", id="two keys"),
        pytest.param(("one", "--provider", "local", "--set", "x=!!python/name:os.system", *PARTY), "is no", id="tag"),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_named_and_nothing_written(
    args: tuple[str, ...], told: str, configs: Path
) -> None:
    done = new(*args)

    assert (done.exit_code, told in done.stderr, configs.exists()) == (2, True, False), done.output


def test_answers_that_are_wrong_are_not_lost(configs: Path) -> None:
    done = new("one", "--provider", "local", "--set", "speed=3", *PARTY)

    assert (done.exit_code, "provider.speed: unknown key" in done.stdout) == (2, True)
    assert "speed: 3" in (configs / "one.yaml").read_text()


def test_on_a_terminal_it_asks(configs: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    argv = [sys.executable, "-P", "-m", "e2e", "new", "provider-config", "one"]
    answers = ["acme", "ada", "ada@example.com", "gs://acme-e2e", "gce", "acme-project", "europe-west1"]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        os.write(leader, "".join(f"{answer}\n" for answer in answers).encode())
        said = b""
        while True:
            try:
                block = os.read(leader, 4096)
            except OSError:  # the other end is closed
                break
            said += block
        process.wait(timeout=60)
    os.close(leader)

    assert process.returncode == 0, said.decode()
    assert b"Provider (azure, existing, gce, local, ubuntu): " in said
    assert b"provider.region: region, such as europe-west1: " in said
    assert "project: acme-project" in (configs / "one.yaml").read_text()
