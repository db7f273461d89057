"""How long a verb waits that only looks at a store while a person looks on, and that it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from upload.store import Patience

LOOK_S = 20.0  # a network that is away for longer is not coming back while somebody waits
CONNECT_S = 5.0


def brief_patience() -> Patience:
    """Return the patience of somebody who waits: seconds, and the first wait is told on stderr."""
    from upload.store import Patience
    from upload.store.patience import once

    def tell(text: str) -> None:
        click.echo(f"e2e: {text} for {LOOK_S:.0f} s", err=True)

    return Patience(operation_s=LOOK_S, connect_s=CONNECT_S, on_wait=once(tell))
