"""What the command line changes in a config, checked by the same rules as the file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.config.model import JobConfig


@dataclass(frozen=True, slots=True)
class SuiteChanges:
    """The options ``--preset``, ``--select``, ``--focus``, ``--skip`` and ``--workers``; None leaves the config's value."""

    preset: str | None = None
    select: str | None = None
    focus: str | None = None
    skip: str | None = None
    workers: int | None = None

    def apply(self, job: JobConfig) -> JobConfig:
        """Return the config with these values. Raises UsageError that names the option."""
        from pydantic import ValidationError

        from e2e.lifecycle.testers import refused
        from providers.config.model import JobConfig

        given = {key: value for key, value in asdict(self).items() if value is not None}
        values = job.to_json()
        values["suite"] = {**values["suite"], **given}
        try:
            changed = JobConfig.from_json(values)
        except ValidationError as exc:
            first = exc.errors()[0]
            option = f"--{first['loc'][-1]}"
            raise UsageError(f"{option}: {first['msg']}", hint="e2e run --help") from exc
        for key, wanted in refused(job.suite.tester, job.suite.settings, given).items():
            raise UsageError(f"--{key}: expected {wanted}", hint="e2e run --help")
        return changed
