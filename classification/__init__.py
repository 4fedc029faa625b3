"""Train, evaluate and explain classifiers of skin lesions, and audit their fairness. Needs requirements-train.txt."""
