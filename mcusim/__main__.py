"""``python -m mcusim`` is the command line."""

from mcusim.cli import main

main()
