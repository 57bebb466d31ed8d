"""Differential conformance harness: each case runs against Envoy and against Sandgate and the answers are compared."""
