"""Exchange histories in: files of any known layout become records, and records tax events.

A file is read into `Record`s (what happened, in coins, with file and line), they are stored once
under natural keys, and only when a report asks are they merged, matched and valued in AUD. Nothing
is dropped: what is not understood is a record too, of kind UNKNOWN, and an open item until settled.
"""
