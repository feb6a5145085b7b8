"""What is heard behind an agent: rooms made up here, and sound files of applications' servers."""
