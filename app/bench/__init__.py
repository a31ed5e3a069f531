"""Benchmarks that anyone can run again: each beside a peer, in turn, results checked first."""
