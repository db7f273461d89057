"""The keys that the tester ``e2e.test`` adds to ``suite:``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from providers.config.rules import expected, free_text

# what the tester gives itself, and where Ginkgo's own settings begin
OURS = (
    "kubeconfig",
    "report-dir",
    "report-prefix",
    "e2e-output-dir",
    "progress-report-url",
    "list-tests",
    "list-images",
)
_FLAG = re.compile(r"--?([A-Za-z][A-Za-z0-9.-]*)(?:=.*)?", re.DOTALL)


def _flag(value: str) -> str:
    found = _FLAG.fullmatch(free_text(value))
    if found is None:
        raise expected("a flag of e2e.test such as --minStartupPods=4, in one word")
    name = found[1]
    if name in OURS or name.startswith(("ginkgo.", "test.")):
        raise expected("a flag that the tester does not set itself", found=value)
    return value


class GinkgoSettings(BaseModel):
    """What is for Ginkgo and upstream's suite alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    label_filter: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(free_text)] | None = Field(
        default=None, description='a Ginkgo label filter, and-ed with preset and select: "Feature: containsAny DRA"'
    )
    flags: Annotated[list[Annotated[str, Field(max_length=1000), AfterValidator(_flag)]], Field(max_length=50)] = Field(
        default_factory=list, description="more flags for e2e.test, each in one word: [--minStartupPods=4]"
    )
