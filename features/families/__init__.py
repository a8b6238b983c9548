"""Feature families: each a pure function from a history to columns, one row a query, with its as-of rule stated."""

from features.families import calendar, declared, encodings, entities, price, relations

# The matrix's column order.
FAMILIES = (declared, calendar, price, entities, encodings, relations)
