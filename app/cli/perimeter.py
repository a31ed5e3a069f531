"""``clearband perimeter …``: draw a line around fire, check, sign, compare and hand it over.

The help lists the commands in the order in which these are imported.
"""

from app.cli import (  # noqa: F401, I001
    perimeter_draft,
    perimeter_edit,
    perimeter_review,
    perimeter_products,
)
