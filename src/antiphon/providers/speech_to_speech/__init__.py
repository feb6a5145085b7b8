"""Models that hear and speak themselves: one vendor's session instead of recogniser, model and voice."""
