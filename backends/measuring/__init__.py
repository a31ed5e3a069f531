"""Lengths, areas, profiles, single pixels and places of a scene."""
