from __future__ import annotations

import pytest

from tests.support.lab.mirror import Mirror, choose
from upload.errors import ProviderError

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_CODENAME=bookworm\nID=debian\n'
NOBLE = 'VERSION_CODENAME="noble"\nID=ubuntu\n'


@pytest.mark.parametrize(
    ("targets", "os_release", "mirror"),
    [
        pytest.param(
            "http://other.test/node/|nodistro|main\n"
            "http://first.test/debian/|bookworm-updates|main\n"
            "http://first.test/debian/|bookworm|main\n"
            "http://first.test/debian/|bookworm|contrib\n"
            "http://second.test/debian/|bookworm|main\n",
            BOOKWORM,
            Mirror("http://first.test/debian/", "bookworm", ("main",)),
            id="debian",
        ),
        pytest.param(
            "http://extra.test/|noble|universe\n"
            "http://first.test/ubuntu/|noble|universe\n"
            "http://first.test/ubuntu/|noble|multiverse\n"
            "http://first.test/ubuntu/|noble|main\n",
            NOBLE,
            Mirror("http://first.test/ubuntu/", "noble", ("main", "universe")),
            id="ubuntu-has-it-in-two-components",
        ),
    ],
)
def test_the_mirror_is_the_one_of_the_running_release(targets: str, os_release: str, mirror: Mirror) -> None:
    assert choose(targets, os_release) == mirror


@pytest.mark.parametrize(
    ("targets", "os_release"),
    [
        pytest.param("", BOOKWORM, id="no-sources"),
        pytest.param("http://first.test/debian/|trixie|main\n", BOOKWORM, id="another-release"),
        pytest.param("http://first.test/debian/|bookworm|main\n", "ID=arch\n", id="no-codename"),
        pytest.param("no bars\n||\n", BOOKWORM, id="nonsense"),
    ],
)
def test_a_machine_without_a_source_for_its_release_is_told_so(targets: str, os_release: str) -> None:
    with pytest.raises(ProviderError, match="apt has no source") as caught:
        choose(targets, os_release)

    assert "apt-get update" in caught.value.hint
