"""What a person reads of a command of ours that failed on a machine."""

from __future__ import annotations

import pytest

from providers.hosts.marker import step_error
from upload.errors import CommandError

OTHER_RUN = "the machine does not carry the mark of x"


@pytest.mark.parametrize(
    ("code", "tail", "said", "hint"),
    [
        pytest.param(1, "reading\nno such thing\n", "no such thing", "", id="last-line"),
        pytest.param(9, "", "it ended with code 9", "", id="nothing-said"),
        pytest.param(
            97, OTHER_RUN, OTHER_RUN, "cat /var/lib/federated-e2e/owner.json   (on the machine)", id="not-ours"
        ),
        pytest.param(
            1,
            "ctr: write /var/x: no space left on device: unknown",
            "ctr: write /var/x: no space left on device: unknown",
            "df -h   (on w1), make room, then the same command again",
            id="full-disk",
        ),
    ],
)
def test_a_failed_command_is_told_by_its_last_line_and_what_mends_it(
    code: int, tail: str, said: str, hint: str
) -> None:
    error = step_error("Images", CommandError(("sh",), code, tail, node="w1"))

    assert (str(error), error.hint, error.output_tail) == (f"Images on w1: {said}", hint, tail)
