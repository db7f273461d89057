"""The argument JOB|FILE of the verbs that take a config, with completion of job names and paths."""

from __future__ import annotations

from click import Context, Parameter
from click.shell_completion import CompletionItem
from click.types import StringParamType


class JobParam(StringParamType):
    """A JOB (a config's file name without ``.yaml``, or its ``job:`` value) or a FILE. Looked up by the verb, not here."""

    name = "job"

    def get_metavar(self, param: Parameter, ctx: Context) -> str:
        """Return what help shows."""
        return "JOB|FILE"

    def shell_complete(self, ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the jobs that begin with what is typed, or ask the shell for files once it looks like a path."""
        from providers.config import default_search, job_names

        if "/" in incomplete or incomplete.startswith("."):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name) for name in job_names(default_search()) if name.startswith(incomplete)]
