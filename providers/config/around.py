"""What a party has done around its runs: commands at fixed points of ``e2e run``, and who is told of how one ended."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from providers.config.section import Argv, Seconds, Section


class Hook(Section):
    """A command of the party. It runs in the folder in which ``e2e`` was started."""

    command: Argv = Field(description="program and arguments: [./prepare.sh, --fast]; no shell unless it is one")
    timeout_s: Seconds = Field(default=10 * 60, alias="timeout", description="what it may take; counts for the total")


class Hooks(Section):
    """Commands at fixed points of ``e2e run``, each a step. One that fails is a provider error and no verdict on a case."""

    before_up: Hook | None = Field(default=None, description="before anything is created")
    after_up: Hook | None = Field(default=None, description="once the cluster is up")
    before_test: Hook | None = Field(default=None, description="right before the suite")
    after_test: Hook | None = Field(default=None, description="once the suite has ended, however it did")
    before_down: Hook | None = Field(
        default=None, description="before the cluster is removed, also of a run that failed"
    )

    @property
    def given(self) -> dict[str, Hook]:
        """The hooks that there are, by name, in their order."""
        return {name: hook for name in type(self).model_fields if (hook := getattr(self, name)) is not None}

    @property
    def total_s(self) -> int:
        """What all of them may take."""
        return sum(hook.timeout_s for hook in self.given.values())


class Notify(Section):
    """Who is told once a run is published. That nobody could be told changes no verdict."""

    on_failure: Hook | None = Field(
        default=None, description="command that gets the run as JSON on its standard input when it did not pass"
    )
    webhook: Literal["never", "on-failure", "always"] = Field(
        default="never", description="when the same is posted to E2E_WEBHOOK_URL"
    )
