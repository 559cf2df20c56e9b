"""Slots: which of them a job gets, on which node, and who may go before whom.

Nothing here connects, waits or reads a clock: it is all functions of what is known.
"""
