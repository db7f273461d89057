"""Reads the samples of the documentation, runs those that need no cluster, and parses the others without running them.

```console          runs: `$ command`, then what it prints; `…` stands for anything; `$ echo $?` asks for the exit code
```sh               is parsed only: verbs, options and values, and the targets of make
```yaml             is a config (or a part of one), a party.yaml or a buckets.yaml, and must be valid;
                    with file=NAME after the language it is written there for the commands of its page;
                    with the word wrong after the language it is not looked at
```
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from e2e.cli import cli

FENCE = re.compile(r"^```(\S+)?(?: +(.*?))?$\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ASSIGNMENT = re.compile(r"[A-Z][A-Z0-9_]*=.*")
SEPARATORS = frozenset({"|", "||", "&&", "&", ";", "(", ")", ">", ">>", "<"})
COMMAND_S = 120.0

# what differs between two runs of one command: build ids, measured seconds
VARYING = ((re.compile(r"\b20\d{12}\b"), "<build>"), (re.compile(r"\b\d+\.\d s\b"), "<seconds>"))
HERE = "/home/me"  # the reader's folder in the samples


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``file``: where it is written for the commands of its page, or empty. ``is_wrong``: on purpose."""

    language: str
    file: str
    text: str
    line: int
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A command of a page, what the page says that it prints, and with which code it ends."""

    command: str
    output: str
    code: int = 0


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    for found in FENCE.finditer(page):
        language, about, text = found.groups()
        words = (about or "").split()
        file = next((word.removeprefix("file=") for word in words if word.startswith("file=")), "")
        yield Block(language or "", file, text, page.count("\n", 0, found.start()) + 2, "wrong" in words)


def prose(page: str) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page)


def samples(text: str) -> list[Sample]:
    """Return the commands of a ``console`` block. ``echo $?`` after a command becomes that command's code."""
    found: list[Sample] = []
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
        if command == "echo $?":
            found[-1] = Sample(found[-1].command, found[-1].output, int(output))
        else:
            found.append(Sample(command, output))
    return found


def run(sample: Sample, *, cwd: Path) -> tuple[int, str]:
    """Run a command with a home of its own; return its code and all it printed, this folder as ``HERE``."""
    bin_dir = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", sample.command],
        cwd=cwd,
        env={"PATH": f"{bin_dir}:/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd), "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    return done.returncode, done.stdout.replace(str(cwd), HERE)


def is_as_told(told: str, printed: str) -> bool:
    """Say whether a command printed what the page shows; ``…`` alone on a line stands for any lines, or none."""
    pattern = ""
    for line in plain(told).splitlines():
        if line.strip() == "…":
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    return re.fullmatch(pattern, plain(printed)) is not None


def plain(text: str) -> str:
    """Return text without what differs from run to run."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text if text.endswith("\n") or not text else f"{text}\n"


def shell_words(text: str) -> Iterator[list[str]]:
    """Yield the simple commands of a shell sample, without comments, assignments and redirections."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in (*lexer, ";"):
            if word in SEPARATORS:
                while words and ASSIGNMENT.fullmatch(words[0]):
                    del words[0]
                if words:
                    yield words
                words = []
            else:
                words.append(word)


def inline_commands(page: str) -> Iterator[list[str]]:
    """Yield the words of each ``e2e …`` and ``make …`` that stands in running text."""
    for code in INLINE.findall(prose(page)):
        if re.match(r"(?:e2e|make) \S", code):
            yield code.split()


def parse_command(words: list[str]) -> None:
    """Parse the words behind ``e2e`` as it does, and run nothing. Raises click.UsageError."""
    command: click.Command = cli
    name, rest = "e2e", words
    parent: click.Context | None = None
    while True:
        try:
            ctx = command.make_context(name, list(rest), parent=parent)
        except click.exceptions.Exit:  # --help and --version
            return
        if not isinstance(command, click.Group):
            return
        found, child, rest = command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
        assert child is not None
        name, command, parent = found or "", child, ctx


def unknown_words(words: list[str]) -> list[str]:
    """Return the verb and the options behind ``e2e`` that do not exist; values and missing ones are not looked at."""
    command: click.Command = cli
    name = "e2e"
    unknown = []
    for word in words:
        if word.startswith("-"):
            option = word.partition("=")[0]
            if option not in options_of(command):
                unknown.append(f"{name} {option}")
        elif isinstance(command, click.Group):
            child = command.get_command(click.Context(command), word)
            if child is None:
                return [*unknown, f"{name} {word}"]
            name, command = f"{name} {word}", child
    return unknown


def options_of(command: click.Command) -> set[str]:
    """Return every spelling of every option of a command."""
    # a command keeps its help option from the first context that asks for it
    params = command.get_params(click.Context(command, **cli.context_settings))
    return {word for param in params for word in (*param.opts, *param.secondary_opts) if word.startswith("-")}


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
