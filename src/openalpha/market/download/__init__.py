"""Downloads: only what the lake lacks is asked for, through ccxt on our own transport.

Nothing is imported here, so that reading the settings of downloads stays quick.
"""
