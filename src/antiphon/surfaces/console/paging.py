"""Numbers in a query, and which part of a list they ask for."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

PAGE, MAX_PAGE, MAX_OFFSET = 50, 200, 1_000_000
"""Rows of a page unless another number is asked for, the most of one page, and where the last one may begin."""


def number_of(request: Request, name: str, usual: int, most: int) -> int:
    """Raises HTTPException 422 for what is none, or is too large."""
    given = request.query_params.get(name, str(usual))
    if not given.isdecimal() or len(given) > len(str(most)) or int(given) > most:
        raise HTTPException(422, f"{name}: must be a number of at most {most}")
    return int(given)


def page_of(request: Request) -> tuple[int, int]:
    """``limit`` and ``offset``. Raises HTTPException 422."""
    return number_of(request, "limit", PAGE, MAX_PAGE), number_of(request, "offset", 0, MAX_OFFSET)
