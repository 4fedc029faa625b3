"""The fairness audit: scores per group, gaps and mitigations."""
