"""``doctor``: what is wrong with an adapter, not with its loader; every obligation of the protocol, one by one.

Where a run stops at the first probe that fails, the examination goes on, so that everything is seen at once.
"""
