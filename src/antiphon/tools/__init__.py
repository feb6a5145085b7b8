"""Tools that run here: Python functions offered to a model, and the appointment book of the front desk."""
