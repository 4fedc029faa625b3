"""Classifiers of skin lesions: trained, evaluated, explained and audited for fairness. Needs requirements-train.txt."""
