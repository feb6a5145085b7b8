"""Language models: the workflow evaluator, and whoever else implements ``LanguageModel``."""
