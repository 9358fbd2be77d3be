"""What stirdata knows about the data: URLs, checksums, sizes, licenses, citations, published digests."""
