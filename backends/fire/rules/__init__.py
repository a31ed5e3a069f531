"""The fire rules of the trade, each a pure function of `Fields` that says what decided.

Letters are those of our notes. Rule E, what flew on board of the AMS, could not be had: rule D
with numbers of your own stands for it. Rule H was written from memory and is not verified.
"""

from __future__ import annotations

from backends.fire.rules.table import RULES, Rule, rule, usable

__all__ = ["RULES", "Rule", "rule", "usable"]
