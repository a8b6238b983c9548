"""Files that people open outside the product: HTML pages that need no network, and CSV files for spreadsheets.

Not here: what they tell; each room renders its own.
"""

__all__ = ["pages", "spreadsheet"]
