"""Take out of an article what names its outlet or its layout, before anything counts its words.

What is taken out, and why, stands in `rules.toml`; how, in `framelens.clean.engine`.
"""

from framelens.clean.engine import Removal, clean, explain_clean
from framelens.clean.rules import Rule, load_rules

__all__ = ["Removal", "Rule", "clean", "explain_clean", "load_rules"]
