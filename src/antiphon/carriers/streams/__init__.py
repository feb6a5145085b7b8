"""What carriers' media streams have in common: tokens that admit them, the order of their audio, late news of calls."""
