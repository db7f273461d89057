"""A whole run on a real cluster that is full of secrets: none of them is in the bucket or in the site beside it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from providers.contracts import Binaries
from providers.releases.sources import sources_from_env
from tests.support.cluster import binaries
from tests.support.harness import Harness

__all__ = ["binaries"]

CANARIES = {
    "secret": "q7/Zx+4t Vw~1m&Kp0",
    "env": "h2?Yc=8r/Nb+6s Jd3",
    "annotation": "u5&Le 9g+Ta/0f~Xo4",
    "applied": "w8+Ri/3k Mz~7v=Qe2",
}
HARMLESS = "not-a-secret-at-all"


def forms(canary: str) -> tuple[bytes, ...]:
    """Return what of a secret can be read in a file, whatever stands around it.

    In base64 the first and the last character may depend on the neighbours; they are left out.
    """
    raw = canary.encode()
    shifted = [base64.b64encode(b"\0" * shift + raw) for shift in range(3)]
    inner = [text[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6] for shift, text in enumerate(shifted)]
    alphabets = [text.translate(bytes.maketrans(b"+/", b"-_")) for text in inner]
    return (raw, *inner, *alphabets, quote(canary, safe="").encode(), quote_plus(canary).encode())


def holding(folder: Path, *texts: bytes) -> list[str]:
    """Return the files below a folder that hold one of the texts."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if any(text in path.read_bytes() for text in texts)]


@pytest.mark.slow
def test_no_secret_of_the_cluster_is_published(harness: Harness, binaries: Binaries) -> None:
    harness.variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)
    harness.variables.update(CANARIES=json.dumps(CANARIES), HARMLESS=HARMLESS)

    done = harness.e2e("run", harness.write_job(tester="canary", suite="Canaries"), timeout_s=300)

    assert done.code == 1, done.err
    published = {place: holding(harness.store.parent, *forms(canary)) for place, canary in CANARIES.items()}
    assert published == {place: [] for place in CANARIES}
    # all that was to be looked through is there: the case's own text, its evidence, the dump
    (build,) = harness.builds()
    told = holding(build / "artifacts", HARMLESS.encode())
    assert {"junit_01.xml", "cluster/c1/resources/core_v1_pods.jsonl"} <= set(told)
    assert [name.rpartition("/")[2] for name in told if name.startswith("failures/")] == ["objects.jsonl", "case.txt"]
    objects = (build / "artifacts/cluster/c1/resources/core_v1_configmaps.jsonl").read_text().splitlines()
    assert {json.loads(line)["metadata"]["name"] for line in objects} >= CANARIES.keys()
