"""What ``e2e ssh`` refuses before it starts ssh; tests/integration/e2e/test_ssh.py logs in."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from e2e.cli import cli
from e2e.lifecycle.folder import RunFolder, create_folder
from e2e.lifecycle.login import prepare_login
from e2e.lifecycle.state import Presence
from providers.contracts import Machine
from providers.reach import Reach, write_reach
from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.errors import UsageError

RUN = "ci-x-1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
CP1 = Machine("cp1", "control-plane", Endpoint("192.0.2.11", host_key=KEY))
W1 = Machine("w1", "worker", Endpoint("192.0.2.12"))
FILE = Access("ubuntu", KeyFile(Path("/of/the/run")))


def a_run(state_dir: Path, access: Access | None = FILE, presence: Presence = Presence.MADE) -> RunFolder:
    """Make a run, with machines unless there is no access."""
    folder = create_folder(state_dir, lambda _: RUN, tries=1)
    job = {"job": "ci-x", "provider": {"name": "ubuntu" if access else "local"}}
    folder.write(make_state(run=RUN, job=job, clusters={"c1": presence}))
    folder.cluster_folder("c1").mkdir(parents=True)
    if access:
        write_reach(folder.cluster_folder("c1"), Reach(access, (CP1, W1)))
    return folder


def refused(state_dir: Path, *argv: str) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(
            cli, ("ssh", *argv), env={"E2E_STATE_DIR": str(state_dir)}, standalone_mode=False, catch_exceptions=False
        )
    return str(caught.value), caught.value.hint


def test_a_machine_that_the_run_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    a_run(tmp_path)

    assert refused(tmp_path, RUN, "x\x1b", "--", "true")[0] == f"{RUN} has no machine x\\x1b; there is cp1, w1"


def test_a_run_without_machines_says_so(tmp_path: Path) -> None:
    a_run(tmp_path, access=None)

    assert refused(tmp_path, RUN, "cp1") == (f"{RUN} has no machines to log in to: provider local", f"e2e shell {RUN}")


def test_a_run_whose_cluster_is_gone_says_so(tmp_path: Path) -> None:
    a_run(tmp_path, presence=Presence.GONE)

    assert refused(tmp_path, RUN, "cp1") == (f"{RUN} has no cluster", f"e2e status {RUN}")


def test_a_machine_that_was_never_reached_has_no_key_to_trust(tmp_path: Path) -> None:
    a_run(tmp_path)

    said, hint = refused(tmp_path, RUN, "w1")
    assert said == f"{RUN} has never reached w1, so that its host key is not known"
    assert "ssh-keyscan 192.0.2.12" in hint


def test_files_lie_in_the_runs_folder_for_nobody_else(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    login = prepare_login(folder, "cp1", {"HOME": "/h"})

    place = folder.cluster_folder("c1")
    assert (login.argv, dict(login.env)) == (("ssh", "-F", str(place / "ssh_config"), "cp1"), {"HOME": "/h"})
    assert (place / "ssh_known_hosts").read_text() == f"192.0.2.11 {KEY}\n"
    assert [oct((place / name).stat().st_mode)[-3:] for name in ("ssh_config", "ssh_known_hosts")] == ["600", "600"]


@pytest.mark.parametrize(
    ("access", "variables", "line", "agent"),
    [
        (FILE, {}, 'IdentityFile "/of/the/run"', None),
        (FILE, {"E2E_SSH_IDENTITY": "/of/now"}, 'IdentityFile "/of/now"', None),
        (Access("root", Agent(Path("/then"))), {}, "IdentitiesOnly no", "/then"),
        (Access("root", Agent(Path("/then"))), {"SSH_AUTH_SOCK": "/now"}, "IdentitiesOnly no", "/now"),
        (Access("root", Agent(Path("/then")), Jump(Endpoint("j"), "me")), {}, "ProxyJump _jump", "/then"),
    ],
    ids=["file", "file of now", "agent", "agent of now", "jump"],
)
def test_what_is_given_now_opens_machines_else_what_the_run_began_with(
    access: Access, variables: dict[str, str], line: str, agent: str | None, tmp_path: Path
) -> None:
    folder = a_run(tmp_path, access)
    login = prepare_login(folder, "cp1", variables)

    lines = [each.strip() for each in (folder.cluster_folder("c1") / "ssh_config").read_text().splitlines()]
    assert line in lines
    assert login.env.get("SSH_AUTH_SOCK") == agent
