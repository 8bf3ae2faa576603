"""Groups of the command `newsbeam`, a file each, and what all commands share."""
