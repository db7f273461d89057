"""``python -m e2e`` is the command ``e2e``."""

from e2e.cli import main

main()
