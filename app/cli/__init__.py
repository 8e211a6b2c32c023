"""The command line. Each module of this package is a command: it parses options and calls one function.

A module is imported when its command runs, so that a command does not load what only others need. Imported
by `__main__` only.
"""

from app.cli.main import commands, main

__all__ = ["commands", "main"]
