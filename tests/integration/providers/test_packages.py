"""Debian packages on a machine that is given back, on a copy of this one with a repository of its own."""

from __future__ import annotations

import pytest

from providers.contracts import Node
from providers.hosts.marker import Change
from tests.support.copied_host import CopiedHost
from tests.support.taken_host import SNAPSHOT, mark, taken
from upload.errors import StepError

REPOSITORY = """
set -e
mkdir -p /repo && cd /repo
build() { # NAME VERSION DEPENDS
    mkdir -p "$1/DEBIAN" "$1/usr/share/$1" "$1/etc/$1"
    echo "$2" > "$1/usr/share/$1/version"
    echo setting > "$1/etc/$1/conf"
    echo "/etc/$1/conf" > "$1/DEBIAN/conffiles"
    printf 'Package: %s\\nVersion: %s\\nArchitecture: all\\nMaintainer: t <t@example.com>\\n%sDescription: test\\n' \
        "$1" "$2" "${3:+Depends: $3
}" > "$1/DEBIAN/control"
    dpkg-deb --build -Znone "$1" "$1_$2.deb" > /dev/null
    { cat "$1/DEBIAN/control"
      echo "Filename: ./$1_$2.deb"
      echo "Size: $(stat -c %s "$1_$2.deb")"
      echo "SHA256: $(sha256sum "$1_$2.deb" | cut -d ' ' -f 1)"
      echo; } >> Packages
    rm -r "$1"
}
build e2e-old 1
dpkg -i e2e-old_1.deb > /dev/null
rm Packages
build e2e-lib 1
build e2e-tool 1 e2e-lib
build e2e-old 2
build e2e-bold 1 'e2e-old (>= 2)'
build e2e-addon 1 e2e-tool
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf.d/*proxy* /var/lib/apt/lists/*
echo 'deb [trusted=yes] file:/repo ./' > /etc/apt/sources.list
"""


@pytest.fixture
def repository(host: CopiedHost) -> None:
    host.sh(REPOSITORY)


@pytest.mark.usefixtures("repository")
def test_packages_that_we_installed_go_and_others_stay(host: CopiedHost, nodes: list[Node]) -> None:
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)
    for _ in range(2):
        marker.install_packages(["e2e-tool", "e2e-old"])
    marker.write_file("/etc/e2e-tool/conf", b"ours\n")

    assert marker.changes() == (
        Change("packages", "e2e-lib e2e-tool"),
        Change("file", "/etc/e2e-tool/conf", marker.changes()[1].former),
    )
    assert host.sh("cat /usr/share/e2e-tool/version /etc/e2e-tool/conf") == "1\nours\n"
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


@pytest.mark.usefixtures("repository")
def test_a_package_that_was_removed_keeps_its_configuration(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh(
        "apt-get -q update; apt-get -q --yes install e2e-tool; echo mine > /etc/e2e-tool/conf; apt-get -q --yes remove e2e-tool"
    )
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)
    marker.install_packages(["e2e-tool"])

    assert marker.changes() == (Change("packages", "e2e-tool", "e2e-tool"),)
    marker.give_back()

    assert host.sh(SNAPSHOT) == before
    assert host.sh("cat /etc/e2e-tool/conf; dpkg-query -W -f '${db:Status-Status}' e2e-tool") == "mine\nconfig-files"


@pytest.mark.usefixtures("repository")
def test_a_package_that_came_with_others_does_not_become_somebodys_choice(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("apt-get -q update; apt-get -q --yes install e2e-tool")
    chosen = host.sh("apt-mark showmanual")
    marker = taken(nodes)
    marker.install_packages(["e2e-lib", "e2e-addon"])
    marker.give_back()

    assert host.sh("apt-mark showmanual") == chosen


@pytest.mark.usefixtures("repository")
def test_a_package_that_would_upgrade_another_one_is_refused(host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)
    with pytest.raises(StepError) as caught:
        marker.install_packages(["e2e-bold"])

    assert str(caught.value) == "install e2e-bold on w1: it would change packages that are there: e2e-old"
    assert marker.changes() == ()
    assert host.sh("cat /usr/share/e2e-old/version") == "1\n"


@pytest.mark.usefixtures("repository")
def test_a_package_that_is_nowhere_is_said(nodes: list[Node]) -> None:
    with pytest.raises(StepError, match="install e2e-none on w1: E: Unable to locate package e2e-none"):
        taken(nodes).install_packages(["e2e-none"])


@pytest.mark.usefixtures("repository")
def test_somebodys_package_that_needs_ours_is_not_removed(host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)
    marker.install_packages(["e2e-tool"])
    host.sh("apt-get -q --yes install e2e-addon")

    with pytest.raises(StepError, match="e2e-addon was installed by somebody and needs what we installed"):
        marker.give_back()
    assert host.sh("cat /usr/share/e2e-addon/version") == "1\n"

    host.sh("apt-get -q --yes purge e2e-addon")
    marker.give_back()
    assert mark(host) is None
