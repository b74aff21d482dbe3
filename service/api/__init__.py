"""HTTP API: one module per resource over a thin typed layer (`decoding`, `problems`, `operations`)."""
