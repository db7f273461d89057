"""What all parts of a config have in common: strict, frozen, without unknown keys; and values that several parts take."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from providers.config import rules

Seconds = Annotated[
    int,
    BeforeValidator(rules.duration_s, json_schema_input_type=str),
    PlainSerializer(rules.duration_text, return_type=str, when_used="json"),
]
# program and arguments; no shell unless it is one
Argv = Annotated[
    list[Annotated[str, Field(max_length=20_000), AfterValidator(rules.word)]], Field(min_length=1, max_length=200)
]


class Section(BaseModel):
    """A mapping of the config."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_name=False,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )
