"""The domain: model, lifecycle, permissions, refusals and validation. No I/O.

Every other package may import it; it imports none of them.
"""
