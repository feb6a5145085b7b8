"""Durable work after a call: steps whose results are kept with the job, so that a process that dies takes none of it along."""
