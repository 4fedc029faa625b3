"""Explanations of a classifier and checks of their quality. Importing this package loads no other module."""
