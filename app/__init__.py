"""Baton: the system of record for who holds a service ticket."""
