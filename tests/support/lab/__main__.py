"""``python -m tests.support.lab up|down|job``: hosts for a person, which stay until they are taken down, or for a job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from providers.contracts import Deadline
from tests.support.lab.job import run_job
from tests.support.lab.labs import END_S, SSH_CONFIG, host_names, make_lab, remove_abandoned, remove_labs
from tests.support.lab.needs import require_all
from tests.support.lab.records import Ledger, Record, boot_id
from tests.support.lab.values import HostSize, LabHost
from upload.errors import HarnessError


def main(argv: Sequence[str] | None = None, ledger: Ledger | None = None) -> int:
    """Do what the words ask, say it, and return an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="boot hosts that stay")
    up.add_argument("--hosts", type=int, default=2, help="how many, 2 by default")
    verbs.add_parser("down", help="remove them, and what killed test runs left")
    job = verbs.add_parser("job", help="boot a job's machines, run a command, remove them")
    job.add_argument("name", help="a config of the lab")
    job.add_argument("command", nargs="+", help="what to run, behind --")
    words = parser.parse_args(argv)
    try:
        require_all()
        match words.verb:
            case "up":
                return _up(ledger or Ledger(), words.hosts)
            case "job":
                return run_job(words.name, words.command)
        return _down(ledger or Ledger())
    except HarnessError as error:
        print("\n".join(filter(None, (str(error), error.hint))), file=sys.stderr)
        return error.outcome.value.exit_code


def _up(ledger: Ledger, count: int) -> int:
    if kept := _kept(ledger):
        print("there is a lab already; make lab-down removes it")
        _tell(kept[0].hosts)
        return 0
    made = make_lab(ledger, kept=True, size=HostSize())
    try:
        made.add(*host_names(count))
    except BaseException:
        remove_labs(ledger, {made.names.number})
        raise
    _tell(made.hosts)
    return 0


def _tell(hosts: Sequence[LabHost]) -> None:
    for host in hosts:
        print(f"{host.name}  {host.address}  ssh -F {host.key_file.with_name(SSH_CONFIG)} {host.name}")


def _down(ledger: Ledger) -> int:
    kept = _kept(ledger)
    if not ledger.folder.exists():
        return 0
    remove_labs(ledger, {record.number for record in kept})
    with ledger.locked(Deadline.after(END_S, "waiting for other labs")):
        remove_abandoned(ledger, boot_id())
    return 0


def _kept(ledger: Ledger) -> tuple[Record, ...]:
    return tuple(
        record for record in ledger.labs().values() if record and record.owner is None and record.boot == boot_id()
    )


if __name__ == "__main__":
    sys.exit(main())
