"""The command line: thin adapters over the core. Importing this package loads neither torch nor Qt."""
