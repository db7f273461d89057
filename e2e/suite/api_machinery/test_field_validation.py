from __future__ import annotations

import httpx2
import pytest

from e2e.suite.workloads import IMAGE

pytestmark = [pytest.mark.sig("api-machinery"), pytest.mark.needs("create deployments.apps")]

# ``replicas`` twice and ``replica``, as a person mistypes it
MANIFEST = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: a, label: {{x: y}}}}
spec:
  replicas: 0
  replicas: 0
  replica: 5
  selector: {{matchLabels: {{app: a}}}}
  template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: main, image: "{IMAGE}"}}]}}}}
"""

PROBLEMS = (
    'unknown field "metadata.label"',
    'unknown field "spec.replica"',
    'key "replicas" already set in map',
)


def create(http: httpx2.Client, namespace: str, how: str) -> httpx2.Response:
    return http.post(
        f"/apis/apps/v1/namespaces/{namespace}/deployments",
        params={"fieldValidation": how, "dryRun": "All"},
        content=MANIFEST,
        headers={"Content-Type": "application/yaml"},
    )


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]",
    "[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]",
)
def test_mistyped_fields(http: httpx2.Client, namespace: str) -> None:
    """FieldValidation should refuse, warn about or ignore unknown and duplicate fields of a typed object, as asked."""
    strict, warn, ignore = (create(http, namespace, how) for how in ("Strict", "Warn", "Ignore"))
    message = strict.json()["message"]
    warnings = warn.headers.get_list("Warning")

    assert [strict.status_code, warn.status_code, ignore.status_code] == [400, 201, 201]
    assert [problem for problem in PROBLEMS if problem not in message] == []
    assert len(warnings) == 3
    assert "Warning" not in ignore.headers
