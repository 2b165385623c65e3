"""Sealed yearly bundles of an entity's books: made, verified, and restored into an empty home."""

from openalpha.books.archive.bundle import Bundle, Manifest, open_bundle, pack
from openalpha.books.archive.content import content_of, heads_of, restore
from openalpha.books.archive.seal import seal, unseal

__all__ = [
    "Bundle",
    "Manifest",
    "content_of",
    "heads_of",
    "open_bundle",
    "pack",
    "restore",
    "seal",
    "unseal",
]
