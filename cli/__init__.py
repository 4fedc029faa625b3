"""The command line: thin adapters over the core. Importing this package does not load torch or Qt."""
