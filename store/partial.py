"""Partial indexes, and the same condition for queries: only those who say it word for word are served by both planners.

What did not arrive is a handful among all that ever came: without these, each look at it reads the whole table.
"""

from sqlalchemy import text

OWED = "state NOT IN ('delivered', 'discarded')"
INCOMPLETE = "error_kind = 'incomplete'"
"""Of a delivery, as OWED."""
NOT_ARRIVED = "status IN ('pending', 'failed')"
"""Of a lead."""

IS_OWED, IS_INCOMPLETE = text(f"delivery.{OWED}"), text(f"delivery.{INCOMPLETE}")
HAS_NOT_ARRIVED = text(f"lead.{NOT_ARRIVED}")
