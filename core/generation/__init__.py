"""Generation jobs: from the job to the saved image, as one stream of events."""
