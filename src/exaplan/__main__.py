"""``python -m exaplan`` is the command line."""

from exaplan.cli import main

main()
