"""Numbers in a query."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request


def number_of(request: Request, name: str, usual: int, most: int) -> int:
    """Raises HTTPException 422 for what is none, or is too large."""
    given = request.query_params.get(name, str(usual))
    if not given.isdecimal() or len(given) > 9 or int(given) > most:
        raise HTTPException(422, f"{name}: must be a number of at most {most}")
    return int(given)
