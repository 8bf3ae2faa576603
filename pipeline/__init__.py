"""How it is joined: the line, planning, commit, the warehouse, the configuration and the command."""

__version__ = "0.1.0"
