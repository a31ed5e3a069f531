"""Why a network says what it says: classifiers, explainers, and the measures of trust.

``classifier.py`` is what all of them share; nothing here knows a window.
"""
