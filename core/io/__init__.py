"""Files: atomic writes, locks, side files and job files."""
