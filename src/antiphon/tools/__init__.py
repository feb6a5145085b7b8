"""Tools: Python functions offered to a model, those of other servers, and the appointment book of the front desk."""

from antiphon.tools.declared import tool

__all__ = ["tool"]
