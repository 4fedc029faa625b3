"""Training: the job, batches, the learner and the run."""
