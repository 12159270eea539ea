"""Take out of an article what names its outlet or its layout, before anything counts its words.

What is taken out, and why, stands in `rules.toml`; how, in `framelens.clean.engine`.
"""

from framelens.clean.engine import Removal, Rule, clean, explain_clean, load_rules

__all__ = ["Removal", "Rule", "clean", "explain_clean", "load_rules"]
